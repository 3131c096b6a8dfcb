import { hosts } from "./hosts/platform.ts";
import { local } from "./local/platform.ts";

/** Every platform, by the name that the settings give it; the first is the default. */
export const platforms = {
  local,
  hosts,
};
