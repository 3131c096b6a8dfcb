/** A file as a description has it. */
export interface DescribedFile {
  readonly path: string;
  readonly mode: string;
  readonly owner: string;
  readonly live: boolean;
  readonly text: string;
}

/** What `kthw-node` reads in a description. */
export interface Description {
  /** The lines in column 0, but for the files'. */
  readonly headers: readonly string[];
  readonly files: readonly DescribedFile[];
}

/** Reads the format that is described at the top of node.sh. */
export function parseDescription(text: string): Description {
  const headers: string[] = [];
  const files: (DescribedFile & { text: string })[] = [];
  for (const line of text.replace(/\n$/, "").split("\n")) {
    if (line === "" || line.startsWith("  ")) {
      files.at(-1)!.text += `${line.slice(2)}\n`;
    } else if (line.startsWith("file ")) {
      const [, path = "", mode = "", owner = "", live] = line.split(" ");
      files.push({ path, mode, owner, live: live === "live", text: "" });
    } else {
      headers.push(line);
    }
  }
  return { headers, files };
}

/** The values of the headers that begin with a word. */
export function headers({ headers }: Description, word: string): string[] {
  return headers
    .filter((line) => line.startsWith(`${word} `))
    .map((line) => line.slice(word.length + 1));
}
