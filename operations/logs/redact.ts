/** The text in place of a secret. */
const removed = "(removed)";

/** Names whose values are secrets, in settings, flags and messages. */
const names =
  "(?:[\\w-]*(?:password|passwd|passphrase|token|credentials?|secret-?key|api-?key)|client-(?:key|certificate)-data|authorization)";

const rules: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, removed],
  // JSON web tokens.
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, removed],
  // Bootstrap tokens: the part before the dot is public.
  [/\b([a-z0-9]{6})\.[a-z0-9]{16}\b/g, `$1.${removed}`],
  [/\b(Bearer|Basic) +[^\s"',]+/gi, `$1 ${removed}`],
  // Credentials in URLs.
  [/:\/\/[^\s/@]+@/g, `://${removed}@`],
  [
    new RegExp(`\\b(${names}\\\\?["']?\\s*[:=]\\s*)(\\\\?"[^"]*"|'[^']*'|[^\\s,;&}"']+)`, "gi"),
    `$1${removed}`,
  ],
  // Hashes of passwords, in the form of crypt(3).
  [/\$(?:\d[a-z]?|y|gy)\$[\w./$=,+-]{20,}/g, removed],
  // Base64 of a key: long, with capital and small letters and digits. Digests and ids have no capital letters.
  [/(?=[A-Za-z+/]*\d)(?=[a-z\d+/]*[A-Z])(?=[A-Z\d+/]*[a-z])[A-Za-z\d+/]{32,}={0,2}/g, removed],
  // A longer text may be base64 without digits.
  [/(?=[a-z\d+/]*[A-Z])(?=[A-Z\d+/]*[a-z])[A-Za-z\d+/]{40,}={0,2}/g, removed],
];

/** Removes private keys, tokens, passwords and the credentials of kubeconfigs from a text. */
export function redact(text: string): string {
  return rules.reduce((rest, [pattern, instead]) => rest.replaceAll(pattern, instead), text);
}

/** Removes the values of environment variables from the output of `kubectl describe pods`. */
export function withoutEnvironment(text: string): string {
  let within: number | undefined;
  return text
    .split("\n")
    .map((line) => {
      const indent = line.search(/\S/);
      if (within !== undefined && indent > within)
        return line.replace(/^(\s+[\w.-]+:\s+)?.*$/, (_, name = "") => `${name}${removed}`);
      within = /^\s+Environment:\s*$/.test(line) ? indent : undefined;
      return line;
    })
    .join("\n");
}

/** Removes the values of environment variables in manifests of static Pods from a description. */
export function withoutValues(description: string): string {
  let within: number | undefined;
  return description
    .split("\n")
    .flatMap((line) => {
      // A value ends where the lines are no longer indented further.
      if (within !== undefined && (line.trim() === "" || line.search(/\S/) > within)) return [];
      const [, before] = /^(\s+(?:- )?)value:/.exec(line) ?? [];
      within = before?.length;
      return [before === undefined ? line : `${before}value: ${removed}`];
    })
    .join("\n");
}
