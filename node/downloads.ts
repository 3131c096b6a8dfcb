import { framed, unframed } from "./frame.ts";

/** The file of variables such as https_proxy, by which the agent finds the proxies of a machine. */
export const proxyFile = "/etc/kthw/proxy.env";

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
      /** The image's name in pods. */
      readonly name: string;
      readonly url: string;
      readonly sum: string;
    }
  | {
      readonly kind: "link";
      /** A path in a folder of the PATH. */
      readonly path: string;
      readonly target: string;
    };

/** The text from which `kthw-node fetch` downloads. */
export function describeDownloads(downloads: readonly Download[]): string {
  return framed(downloads.map(describeDownload).join(""));
}

/** Reads a text of `describeDownloads`, in this version of the format or an earlier one. */
export function readDownloads(description: string): Download[] {
  const downloads: Download[] = [];
  let members: Record<string, string> = {};
  for (const line of unframed(description)) {
    const [word, ...rest] = line.trimStart().split(" ") as [string, ...string[]];
    if (line.startsWith("  ")) {
      members[word] = rest[0]!;
    } else if (word === "artifact") {
      const [name, version, url, sum] = rest as [string, string, string, string];
      members = {};
      downloads.push({ kind: "binaries", name, version, url, sum, members });
    } else if (word === "image") {
      const [name, url, sum] = rest as [string, string, string];
      downloads.push({ kind: "image", name, url, sum });
    } else if (word === "link") {
      const [path, target] = rest as [string, string];
      downloads.push({ kind: "link", path, target });
    } else {
      throw new Error(`a list of downloads: unknown line, got ${line}`);
    }
  }
  return downloads;
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
