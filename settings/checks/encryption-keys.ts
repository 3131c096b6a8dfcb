import { mistakeAt } from "../mistake.ts";
import { conflicts, type Subject } from "./subject.ts";

/** There is a key, and each key has a name of its own. */
export function encryptionKeys({ draft: { encryptionKeys } }: Subject): string[] {
  const where = "encryptionKeys";
  if (encryptionKeys?.length === 0)
    return [mistakeAt(where, "empty", [], "leave it out, or name a key")];
  const names = (encryptionKeys ?? []).flatMap((key, index) =>
    key?.name === undefined ? [] : [{ where: `${where}[${index}].name`, value: key.name }],
  );
  return conflicts(names).map(({ where, value, earlier }) =>
    mistakeAt(where, `the same as ${earlier.where}`, value, "give each key a name of its own"),
  );
}
