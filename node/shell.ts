/** A text as one word of a shell's command line. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The word itself where a shell takes it as it is, else quoted. */
export function word(text: string): string {
  return /^[\w./-]*$/.test(text) ? text : quoted(text);
}
