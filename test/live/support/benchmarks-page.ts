import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const file = fileURLToPath(new URL("../../../docs/benchmarks.md", import.meta.url));
const head = `# Benchmarks

\`make bench\` and \`make bench-scale\` write the tables of this page.
`;

/** Prints a section of docs/benchmarks.md, and puts it in the place of the former one of that title, or at the end. */
export async function publish(title: string, text: string): Promise<void> {
  const section = `## ${title}\n\n${text.trim()}\n`;
  console.log(`\n${section}`);
  const page = existsSync(file) ? await readFile(file, "utf8") : head;
  await writeFile(file, withSection(page, title, section));
}

/** A page with a section put in. */
export function withSection(page: string, title: string, section: string): string {
  const parts = page.trimEnd().split(/\n+(?=## )/);
  const place = parts.findIndex((part) => part.startsWith(`## ${title}\n`));
  parts.splice(place < 0 ? parts.length : place, place < 0 ? 0 : 1, section.trimEnd());
  return `${parts.join("\n\n")}\n`;
}

/** The rows of a table, the first being its head. */
export function table(...[head, ...lines]: readonly (readonly string[])[]): string {
  const rule = head!.map(() => "---");
  return [head!, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** This computer, in words. */
export const computer = `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory`;
