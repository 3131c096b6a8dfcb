import { mistakeAt } from "../mistake.ts";
import type { Subject } from "./subject.ts";

/** The machines' architecture is by default this computer's, which must be one of those that there are binaries for. */
export function architecture({ draft, context: { arch } }: Subject): string[] {
  if (draft.architecture !== undefined || arch === "amd64" || arch === "arm64") return [];
  return [mistakeAt("architecture", "not supported", arch, "use a computer of amd64 or arm64")];
}
