import type { Taint } from "../services/cluster-facts.ts";

/**
 * The syntax of names, labels and taints:
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
 */

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** What a taint may do to pods that do not tolerate it. */
export const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"] as const;

/** Whether the text is a DNS label (RFC 1123), as names of machines are. */
export function isDnsLabel(text: string): boolean {
  return dnsLabel.test(text);
}

/** Whether the text is a DNS name of small letters. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split(".").every(isDnsLabel);
}

/** Whether the text is the key of a label or taint: a name, or a domain, a slash and a name. */
export function isLabelKey(text: string): boolean {
  const slash = text.indexOf("/");
  return name.test(text.slice(slash + 1)) && (slash < 0 || isDnsName(text.slice(0, slash)));
}

/** Whether the text is the value of a label or taint. */
export function isLabelValue(text: string): boolean {
  return text === "" || name.test(text);
}

/** The taint that is written `key=value:Effect` or `key:Effect`; undefined if the text does not parse. */
export function parseTaint(text: string): Taint | undefined {
  const [, key = "", value = "", word] = /^([^=:]*)(?:=([^=:]*))?:([^=:]*)$/.exec(text) ?? [];
  const effect = taintEffects.find((effect) => effect === word);
  return effect && isLabelKey(key) && isLabelValue(value) ? { key, value, effect } : undefined;
}
