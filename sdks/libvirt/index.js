import * as pulumi from "@pulumi/pulumi";

const version = "0.5.4";

/** The connection to libvirt. */
export class Provider extends pulumi.ProviderResource {
  constructor(name, args, opts) {
    super("libvirt", name, args, { version, ...opts });
  }
}

/** A class of resources with these outputs besides its inputs. */
const kind = (token, outputs) =>
  class extends pulumi.CustomResource {
    constructor(name, args, opts) {
      const unknown = Object.fromEntries(outputs.map((output) => [output, undefined]));
      super(token, name, { ...unknown, ...args }, { version, ...opts });
    }
  };

export const Network = kind("libvirt:index/network:Network", ["name"]);
export const Pool = kind("libvirt:index/pool:Pool", ["name"]);
export const Volume = kind("libvirt:index/volume:Volume", ["name"]);
export const CloudInitDisk = kind("libvirt:index/cloudInitDisk:CloudInitDisk", ["name"]);
export const Domain = kind("libvirt:index/domain:Domain", ["name"]);
