import { parseDocument, type YAMLError } from "yaml";

/** Reads a file as text; throws if the file cannot be read. */
export type ReadFile = (path: string) => string;

/** Whether the text is the path of a file, absolute or relative to the project's folder. */
export function isPath(text: string): boolean {
  return /^\.{0,2}\//.test(text) && !/[\r\n]/.test(text);
}

/** The text of a file, or why there is none. */
export function readText(path: string, read: ReadFile): { text: string } | { reason: string } {
  try {
    return { text: read(path) };
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    return { reason: code === "ENOENT" ? "no such file" : code };
  }
}

/** A group of fields as YAML 1.1, which Kubernetes reads, or what is wrong with it: in a text of the settings, or in the file of that path. */
export function readGroup(
  written: string,
  read: ReadFile,
): { group: Readonly<Record<string, unknown>>; text: string } | { wrong: string; todo: string } {
  const file = isPath(written) ? readText(written, read) : { text: written };
  if ("reason" in file) {
    const todo = "name a file that this computer can read";
    return { wrong: `not readable (${file.reason})`, todo };
  }
  const document = parseDocument(file.text, { version: "1.1" });
  const [error] = document.errors;
  if (error) return { wrong: `no YAML (${shown(error)})`, todo: "mend that" };
  const group: unknown = document.toJS();
  if (typeof group !== "object" || group === null || Array.isArray(group)) {
    return { wrong: "no group of fields in YAML", todo: "write it, or a path like ./policy.yaml" };
  }
  return { group: { ...group }, text: file.text };
}

/** What is wrong and where, without what stands there. */
function shown({ code, linePos }: YAMLError): string {
  const what = code.toLowerCase().replaceAll("_", " ");
  return linePos ? `${what} in line ${linePos[0].line}` : what;
}
