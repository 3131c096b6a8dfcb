import { z } from "zod";
import { flag, group, hiding, text, whole } from "../../settings/values.ts";

const password = {
  error: hiding("not a password", "write a text, encrypted by pulumi config set --secret"),
};
const digest = text(
  (text) => /^sha256:[0-9a-f]{64}$/.test(text),
  "not the digest of an image",
  "write sha256: and 64 hex digits",
);

/** The settings of Weave Net; docs/settings.md describes them. */
export const weaveGroup = group(
  {
    fastDatapath: flag.default(true),
    mtu: whole(576, 65_535, "not an MTU", "use a whole number from 576 to 65535").optional(),
    password: z.string(password).min(1, password).optional(),
    imageDigests: group({ weaveKube: digest.optional(), weaveNpc: digest.optional() }).prefault({}),
  },
  hiding,
).prefault({});

/** The settings of a cluster with Weave Net. */
export interface WithWeave {
  readonly weave: Weave;
}

/** The settings of Weave Net itself. */
export interface Weave {
  readonly fastDatapath: boolean;
  readonly mtu?: number | undefined;
  readonly password?: string | undefined;
  readonly imageDigests: {
    readonly weaveKube?: string | undefined;
    readonly weaveNpc?: string | undefined;
  };
}
