import * as pulumi from "@pulumi/pulumi";

/** The connection to libvirt. */
export class Provider extends pulumi.ProviderResource {
  constructor(name: string, args: ProviderArgs, opts?: pulumi.ResourceOptions);
}

export interface ProviderArgs {
  /** For example qemu:///system: https://libvirt.org/uri.html */
  uri?: pulumi.Input<string>;
}

/** A network; all but `autostart` replaces it. */
export class Network extends pulumi.CustomResource {
  readonly name: pulumi.Output<string>;
  constructor(name: string, args: NetworkArgs, opts?: pulumi.CustomResourceOptions);
}

export interface NetworkArgs {
  name?: pulumi.Input<string>;
  /** nat, none, route or open. */
  mode?: pulumi.Input<string>;
  /** The network, whose first address is the gateway's. */
  addresses?: pulumi.Input<pulumi.Input<string>[]>;
  dhcp?: pulumi.Input<NetworkDhcp>;
  /** Whether the network starts with libvirt. */
  autostart?: pulumi.Input<boolean>;
}

export interface NetworkDhcp {
  enabled?: pulumi.Input<boolean>;
}

/** A storage pool; a change replaces it. */
export class Pool extends pulumi.CustomResource {
  readonly name: pulumi.Output<string>;
  constructor(name: string, args: PoolArgs, opts?: pulumi.CustomResourceOptions);
}

export interface PoolArgs {
  name?: pulumi.Input<string>;
  /** dir, for a folder. */
  type: pulumi.Input<string>;
  target?: pulumi.Input<PoolTarget>;
}

export interface PoolTarget {
  /** An absolute folder on libvirt's computer. */
  path?: pulumi.Input<string>;
}

/** A volume, whose id is its path; a change replaces it. */
export class Volume extends pulumi.CustomResource {
  readonly name: pulumi.Output<string>;
  constructor(name: string, args: VolumeArgs, opts?: pulumi.CustomResourceOptions);
}

export interface VolumeArgs {
  name?: pulumi.Input<string>;
  /** The pool's name. */
  pool?: pulumi.Input<string>;
  /** The file that is uploaded; not together with `size`. */
  source?: pulumi.Input<string>;
  /** qcow2 or raw. */
  format?: pulumi.Input<string>;
  /** In bytes. */
  size?: pulumi.Input<number>;
  /** The volume that has what this one lacks. */
  baseVolumeId?: pulumi.Input<string>;
}

/** A disk with the data of cloud-init; a change replaces it. */
export class CloudInitDisk extends pulumi.CustomResource {
  readonly name: pulumi.Output<string>;
  constructor(name: string, args: CloudInitDiskArgs, opts?: pulumi.CustomResourceOptions);
}

export interface CloudInitDiskArgs {
  name?: pulumi.Input<string>;
  /** The pool's name. */
  pool?: pulumi.Input<string>;
  userData?: pulumi.Input<string>;
  metaData?: pulumi.Input<string>;
  networkConfig?: pulumi.Input<string>;
}

/** A virtual machine, whose id is its UUID; only `autostart`, `running` and `cloudinit` change in place. */
export class Domain extends pulumi.CustomResource {
  readonly name: pulumi.Output<string>;
  constructor(name: string, args: DomainArgs, opts?: pulumi.CustomResourceOptions);
}

export interface DomainArgs {
  name?: pulumi.Input<string>;
  /** kvm, or qemu for emulation. */
  type?: pulumi.Input<string>;
  /** In MiB. */
  memory?: pulumi.Input<number>;
  vcpu?: pulumi.Input<number>;
  cpu?: pulumi.Input<DomainCpu>;
  autostart?: pulumi.Input<boolean>;
  running?: pulumi.Input<boolean>;
  /** The id of a CloudInitDisk. */
  cloudinit?: pulumi.Input<string>;
  disks?: pulumi.Input<pulumi.Input<DomainDisk>[]>;
  networkInterfaces?: pulumi.Input<pulumi.Input<DomainNetworkInterface>[]>;
  consoles?: pulumi.Input<pulumi.Input<DomainConsole>[]>;
  /** The path of the firmware; the BIOS where it is left out. */
  firmware?: pulumi.Input<string>;
  nvram?: pulumi.Input<DomainNvram>;
  xml?: pulumi.Input<DomainXml>;
}

export interface DomainCpu {
  /** For example host-passthrough. */
  mode?: pulumi.Input<string>;
}

export interface DomainDisk {
  volumeId?: pulumi.Input<string>;
}

export interface DomainNetworkInterface {
  networkId?: pulumi.Input<string>;
  mac?: pulumi.Input<string>;
}

export interface DomainConsole {
  /** For example pty. */
  type: pulumi.Input<string>;
  targetPort: pulumi.Input<string>;
  /** serial or virtio. */
  targetType?: pulumi.Input<string>;
}

export interface DomainNvram {
  /** The file with the domain's own variables. */
  file?: pulumi.Input<string>;
  /** The file that they start from. */
  template?: pulumi.Input<string>;
}

export interface DomainXml {
  /** A stylesheet that the XML of the resource goes through before libvirt is given it. */
  xslt?: pulumi.Input<string>;
}
