/** A binary, an archive of binaries, or an image that a machine downloads and verifies. */
export type Download =
  | {
      readonly kind: "binaries";
      readonly name: string;
      readonly version: string;
      readonly url: string;
      /** `sha256:HEX`, or the address of a file that holds the sum. */
      readonly sum: string;
      /** Path in the archive, or `-` for the file itself, to the binary's name in /opt/kthw/NAME/VERSION. */
      readonly members: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "image";
      /** What pods name it. */
      readonly name: string;
      readonly url: string;
      readonly sum: string;
    }
  | {
      readonly kind: "link";
      /** A path on everybody's PATH. */
      readonly path: string;
      readonly target: string;
    };

/** What `kthw-node fetch` reads. */
export function describeDownloads(downloads: readonly Download[]): string {
  return downloads.map(describeDownload).join("");
}

function describeDownload(download: Download): string {
  switch (download.kind) {
    case "binaries": {
      const { name, version, url, sum, members } = download;
      const lines = Object.entries(members).map(([member, binary]) => `  ${member} ${binary}\n`);
      return `artifact ${name} ${version} ${url} ${sum}\n${lines.join("")}`;
    }
    case "image":
      return `image ${download.name} ${download.url} ${download.sum}\n`;
    case "link":
      return `link ${download.path} ${download.target}\n`;
    default:
      return download satisfies never;
  }
}
