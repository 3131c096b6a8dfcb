import type { types } from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";

/** What a machine's kernel and container allow, which decides a few lines of its configuration. */
export interface MachineTraits {
  /** The cgroup hierarchy that systemd runs on: 2 on every current distribution. */
  readonly cgroupVersion: 1 | 2;
  /** It is a container itself: kernel settings and swap belong to the computer around it. */
  readonly container: boolean;
  /** Processes may not lower their out-of-memory score, so that containerd must not try. */
  readonly restrictOomScoreAdj: boolean;
}

/** A machine that can be reached over SSH, as root or by sudo: the one seam between where machines come from and what runs on them. */
export interface Machine {
  /** Host name, a DNS label; names every resource of the machine. */
  readonly name: string;
  /** IPv4 address at which the other machines reach it. */
  readonly address: string;
  /** How Pulumi reaches it. */
  readonly connection: pulumi.Input<types.input.remote.ConnectionArgs>;
  /** The connection's user is not root, and may become root by sudo without a password. */
  readonly sudo: boolean;
  /** Another one once the machine has been made anew, with nothing left on its disk. */
  readonly id: pulumi.Input<string>;
  /** The resource that owns its life; undefined for a machine that outlives the stack. */
  readonly resource: pulumi.Resource | undefined;
  /** What must have happened before anything is put on it. */
  readonly ready: readonly pulumi.Resource[];
  /** The command line with which the operator opens a shell on it. */
  readonly ssh: pulumi.Input<string>;
  readonly traits: MachineTraits;
}
