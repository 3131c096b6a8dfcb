import type { types } from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";
import type { Passphrases } from "./askpass.ts";

/** Properties of a machine's kernel and container that a few lines of its configuration depend on. */
export interface MachineTraits {
  /** The cgroup hierarchy that systemd runs on: 2 on every current distribution. */
  readonly cgroupVersion: 1 | 2;
  /** Whether the machine is itself a container: kernel settings and swap then belong to the computer around it. */
  readonly container: boolean;
  /** Whether processes may not lower their out-of-memory score, so that containerd must not try. */
  readonly restrictOomScoreAdj: boolean;
}

/** The traits of a machine with a kernel of its own and a current distribution. */
export const virtualMachine: MachineTraits = {
  cgroupVersion: 2,
  container: false,
  restrictOomScoreAdj: false,
};

/** The secrets of the operator without which a machine is not reached, or nobody becomes root there. */
export interface MachineSecrets {
  /** What opens the keys on the way to the machine. */
  readonly passphrases?: Passphrases;
  /** The password for which sudo asks. */
  readonly sudoPassword?: string;
}

/** A machine that is reached over SSH, as root or by sudo: the interface between platforms and the services on machines. */
export interface Machine {
  /** Host name, a DNS label; all resources of the machine are named after it. */
  readonly name: string;
  /** IPv4 address at which other machines reach this machine. */
  readonly address: string;
  /** How Pulumi connects to the machine. */
  readonly connection: pulumi.Input<types.input.remote.ConnectionArgs>;
  /** Whether the connection's user is not root, and becomes root by sudo. */
  readonly sudo: boolean;
  /** Secrets that the machine is not reached without; undefined for most. */
  readonly secrets?: MachineSecrets | undefined;
  /** An id that changes when the machine is rebuilt, with nothing left on its disk. */
  readonly id: pulumi.Input<string>;
  /** The resource that creates and deletes the machine; undefined for a machine that outlives the stack. */
  readonly resource: pulumi.Resource | undefined;
  /** Resources that must be done before anything is put on the machine. */
  readonly ready: readonly pulumi.Resource[];
  /** The command line with which the operator opens a shell on the machine. */
  readonly ssh: pulumi.Input<string>;
  readonly traits: MachineTraits;
}
