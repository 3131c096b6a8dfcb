/**
 * The frame of every text that `kthw-node` reads: its first line names the version of the format, its last line is `end`, so that a
 * text that is cut off on its way is not taken for a whole one. Texts of version 1 have no frame. Such texts are in the states and on
 * the machines of existing clusters, and must always be understood.
 */
const version = 2;

/** The body of a text in its frame. */
export function framed(body: string): string {
  return `kthw ${version}\n${body}end\n`;
}

/** The lines within the frame of a text; all lines of a text of version 1. */
export function unframed(text: string): string[] {
  const lines = text.replace(/\n$/, "").split("\n");
  const [first = ""] = lines;
  if (!first.startsWith("kthw ")) return lines;
  if (first !== `kthw ${version}`)
    throw new Error(
      `a text for kthw-node: its version must be one of 1 to ${version}, got ${first}; use the program that wrote it, or a later one`,
    );
  if (lines.length < 2 || lines.at(-1) !== "end")
    throw new Error(
      `a text for kthw-node: it is cut off, its last line must be end, got ${lines.at(-1)}`,
    );
  return lines.slice(1, -1);
}
