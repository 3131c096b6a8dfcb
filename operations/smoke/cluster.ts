import { randomBytes } from "node:crypto";
import { output, type Result, succeeded } from "../access/command.ts";
import { makeFor } from "../access/make.ts";
import { onMachine } from "../access/shell.ts";
import type { StackMachine, StackOutputs } from "../access/stack.ts";

/** The part of a Kubernetes object that the checks read. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

/** The part of a Node that the checks read. */
export interface NodeObject extends KubernetesObject {
  readonly spec: {
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly key: string; readonly effect: string }[];
  };
  readonly status: {
    readonly addresses: readonly { readonly type: string; readonly address: string }[];
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
    readonly nodeInfo: {
      readonly architecture: string;
      readonly machineID: string;
      readonly systemUUID: string;
    };
  };
}

/** Whether a Node is Ready. */
export function isReady({ status }: NodeObject): boolean {
  return status.conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** The part of a Pod that the checks read. */
export interface PodObject extends KubernetesObject {
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly {
      readonly ready: boolean;
      readonly state: {
        readonly waiting?: { readonly reason?: string; readonly message?: string };
      };
    }[];
  };
}

/** The part of a Service that the checks read. */
export interface ServiceObject extends KubernetesObject {
  readonly spec: {
    readonly clusterIP: string;
    readonly ports: readonly { readonly nodePort: number }[];
  };
}

/** A running Pod of the test image. */
export interface RunningPod {
  readonly name: string;
  readonly node: string;
  readonly address: string;
}

/** The cluster of a stack, with the results that one check hands on to the next. */
export class Cluster {
  readonly stack: string;
  readonly machines: readonly StackMachine[];
  /** The mirror of images, as the machines reach it, if there is one. */
  readonly mirror: string | undefined;
  /** How a Secret begins in etcd. */
  readonly encryptedPrefix: string;
  /** The namespace of all objects that the checks make. */
  readonly namespace = `smoke-${randomBytes(4).toString("hex")}`;
  /** Aborting this signal ends every running command. */
  readonly signal: AbortSignal;
  /** The Nodes; set by the check that all are Ready. */
  nodes: readonly NodeObject[] = [];
  /** The Nodes that take Pods and have the test image, or pull the image. */
  chosen: readonly NodeObject[] = [];
  /** The test image's full name. */
  image = "";
  /** The Pods of the test image, once running. */
  pods: readonly RunningPod[] = [];
  /** The Service of the Pods, once created. */
  service: ServiceObject | undefined;

  constructor(
    stack: string,
    { machines, mirror, encryptedPrefix }: StackOutputs,
    signal: AbortSignal,
  ) {
    this.stack = stack;
    this.machines = machines;
    this.mirror = mirror;
    this.encryptedPrefix = encryptedPrefix;
    this.signal = signal;
  }

  /** The machines of a role. */
  of(role: StackMachine["role"]): readonly StackMachine[] {
    return this.machines.filter((machine) => machine.role === role);
  }

  /** Runs kubectl, which must succeed; returns the standard output. */
  async kubectl(args: readonly string[], input = "", timeoutSeconds = 20): Promise<string> {
    return output("kubectl", args, { input, timeoutSeconds, signal: this.signal });
  }

  /** Runs kubectl in the checks' own namespace. */
  async inNamespace(args: readonly string[], input?: string, timeout?: number): Promise<string> {
    return this.kubectl([`--namespace=${this.namespace}`, ...args], input, timeout);
  }

  /** Gets an object or a list of objects; `words` are arguments of `kubectl get`. */
  async get<T>(...words: string[]): Promise<T> {
    return JSON.parse(await this.inNamespace(["get", ...words, "--output=json"]));
  }

  /** Runs a bash script as root on a machine, which must succeed; returns the standard output. */
  async outputOn(machine: StackMachine, script: string, timeoutSeconds = 60): Promise<string> {
    return succeeded(await this.runOn(machine, script, timeoutSeconds)).stdout;
  }

  /** Runs a bash script as root on a machine, successful or not. */
  async runOn(machine: StackMachine, script: string, timeoutSeconds = 60): Promise<Result> {
    return onMachine(machine, script, { timeoutSeconds, signal: this.signal });
  }

  /** The command line of a target of make, in this project's folder. */
  makeLine(target: string): string {
    return makeFor(this.stack)(target);
  }

  /** The command line that runs kubectl from this project's folder. */
  kubectlLine(kubectl: string): string {
    return `${this.makeLine("shell")} CMD='kubectl ${kubectl}'`;
  }

  /** Command lines that show the end of a unit's journal on the machines named, or on `otherwise` if none is known. */
  journals(
    unit: string,
    names: readonly string[],
    otherwise: readonly StackMachine[],
  ): readonly string[] {
    const known = this.machines.filter(({ name }) => names.includes(name));
    return (known.length > 0 ? known : otherwise).map(
      ({ ssh }) => `${ssh} sudo journalctl --no-pager --lines=50 --unit=${unit}`,
    );
  }
}
