/** Virtual machines, their disks and networks, as the plugin libvirt manages them; libvirt is reached through virsh. */
import type { Plugin } from "../protocol/provider.ts";
import { text } from "../protocol/shape.ts";
import { cloudInitDisk } from "./cloud-init-disk.ts";
import { domain } from "./domain.ts";
import { network } from "./network.ts";
import { pool } from "./pool.ts";
import { connectTo, disconnect } from "./virsh.ts";
import { volume } from "./volume.ts";

/** The plugin libvirt 0.5.4. */
export const provider: Plugin = {
  name: "libvirt",
  version: "0.5.4",
  resources: {
    "libvirt:index/pool:Pool": pool,
    "libvirt:index/volume:Volume": volume,
    "libvirt:index/network:Network": network,
    "libvirt:index/cloudInitDisk:CloudInitDisk": cloudInitDisk,
    "libvirt:index/domain:Domain": domain,
  },
  config: { uri: text },
  configure: ({ uri = process.env.LIBVIRT_DEFAULT_URI ?? "" }) => {
    if (uri === "") throw new Error("libvirt:uri: missing; set it, or LIBVIRT_DEFAULT_URI");
    connectTo(String(uri));
  },
  close: disconnect,
};
