/** What stands where a secret was. */
const removed = "(removed)";

/** Names whose values are secrets, in settings, flags and messages. */
const names =
  "(?:[\\w-]*(?:password|passwd|passphrase|token|credentials?|secret-?key|api-?key)|client-(?:key|certificate)-data|authorization)";

const rules: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, removed],
  // JSON web tokens.
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, removed],
  // Bootstrap tokens: the part before the point is no secret.
  [/\b([a-z0-9]{6})\.[a-z0-9]{16}\b/g, `$1.${removed}`],
  [/\b(Bearer|Basic) +[^\s"',]+/gi, `$1 ${removed}`],
  // Within addresses.
  [/:\/\/[^\s/@]+@/g, `://${removed}@`],
  [
    new RegExp(`\\b(${names}\\\\?["']?\\s*[:=]\\s*)(\\\\?"[^"]*"|'[^']*'|[^\\s,;&}"']+)`, "gi"),
    `$1${removed}`,
  ],
  // Hashes of passwords, as crypt(3) has them.
  [/\$(?:\d[a-z]?|y|gy)\$[\w./$=,+-]{20,}/g, removed],
  // What is long and has all kinds of letters and digits: base64 of a key. Digests and ids are written in small letters.
  [/(?=[A-Za-z+/]*\d)(?=[a-z\d+/]*[A-Z])(?=[A-Z\d+/]*[a-z])[A-Za-z\d+/]{32,}={0,2}/g, removed],
  // Longer still, it may have no digits.
  [/(?=[a-z\d+/]*[A-Z])(?=[A-Z\d+/]*[a-z])[A-Za-z\d+/]{40,}={0,2}/g, removed],
];

/** A text without what may be a private key, a token, a password or the credentials of a kubeconfig. */
export function redact(text: string): string {
  return rules.reduce((rest, [pattern, instead]) => rest.replaceAll(pattern, instead), text);
}

/** What `kubectl describe pods` says, without the values of environment variables. */
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

/** What kthw-node placed, without the values of environment variables in manifests of static pods. */
export function withoutValues(description: string): string {
  let within: number | undefined;
  return description
    .split("\n")
    .flatMap((line) => {
      // A value of several lines goes on as long as they are indented further.
      if (within !== undefined && (line.trim() === "" || line.search(/\S/) > within)) return [];
      const [, before] = /^(\s+(?:- )?)value:/.exec(line) ?? [];
      within = before?.length;
      return [before === undefined ? line : `${before}value: ${removed}`];
    })
    .join("\n");
}
