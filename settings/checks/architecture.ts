import { mistakeAt } from "../mistake.ts";
import type { Subject } from "./subject.ts";

/** The default architecture of the machines, which is this computer's, has binaries. */
export function architecture({ draft, context: { arch } }: Subject): string[] {
  if (draft.architecture !== undefined || arch === "amd64" || arch === "arm64") return [];
  return [mistakeAt("architecture", "not supported", arch, "use a computer of amd64 or arm64")];
}
