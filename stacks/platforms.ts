import { aws } from "./aws/platform.ts";
import { hosts } from "./hosts/platform.ts";
import { libvirt } from "./libvirt/platform.ts";
import { local } from "./local/platform.ts";

/** Every platform, by its name in the settings; the first is the default. */
export const platforms = {
  local,
  hosts,
  libvirt,
  aws,
};
