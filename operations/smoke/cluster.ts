import { randomBytes } from "node:crypto";
import { output, type Result, succeeded } from "../access/command.ts";
import { onMachine } from "../access/shell.ts";
import type { StackMachine, StackOutputs } from "../access/stack.ts";

/** What the checks read of a Kubernetes object. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
}

/** What the checks read of a Node. */
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
    readonly nodeInfo: { readonly architecture: string };
  };
}

/** Whether a node is Ready. */
export function isReady({ status }: NodeObject): boolean {
  return status.conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** What the checks read of a Pod. */
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

/** What the checks read of a Service. */
export interface ServiceObject extends KubernetesObject {
  readonly spec: {
    readonly clusterIP: string;
    readonly ports: readonly { readonly nodePort: number }[];
  };
}

/** A pod of the test image that runs. */
export interface RunningPod {
  readonly name: string;
  readonly node: string;
  readonly address: string;
}

/** The cluster of a stack as the checks use it, with what they find out for one another. */
export class Cluster {
  readonly stack: string;
  readonly machines: readonly StackMachine[];
  /** Where machines find the mirror of images, if there is one. */
  readonly mirror: string | undefined;
  /** The namespace in Kubernetes of all that the checks make. */
  readonly namespace = `smoke-${randomBytes(4).toString("hex")}`;
  /** Ends whatever runs when it is aborted. */
  readonly signal: AbortSignal;
  /** The nodes, once they were asked for. */
  nodes: readonly NodeObject[] = [];
  /** The nodes that take pods and have the test image, or pull it. */
  chosen: readonly NodeObject[] = [];
  /** The test image's full name. */
  image = "";
  /** The pods of the test image, once they run. */
  pods: readonly RunningPod[] = [];
  /** The Service of the pods, once there is one. */
  service: ServiceObject | undefined;

  constructor(stack: string, { machines, mirror }: StackOutputs, signal: AbortSignal) {
    this.stack = stack;
    this.machines = machines;
    this.mirror = mirror;
    this.signal = signal;
  }

  /** Machines of a role. */
  of(role: StackMachine["role"]): readonly StackMachine[] {
    return this.machines.filter((machine) => machine.role === role);
  }

  /** Asks the API by kubectl, which must succeed; its standard output. */
  async kubectl(args: readonly string[], input = "", timeoutSeconds = 20): Promise<string> {
    return output("kubectl", args, { input, timeoutSeconds, signal: this.signal });
  }

  /** The same in the checks' own namespace. */
  async inNamespace(args: readonly string[], input?: string, timeout?: number): Promise<string> {
    return this.kubectl([`--namespace=${this.namespace}`, ...args], input, timeout);
  }

  /** An object or a list of objects, as kubectl's words name it. */
  async get<T>(...words: string[]): Promise<T> {
    return JSON.parse(await this.inNamespace(["get", ...words, "--output=json"]));
  }

  /** Runs a bash script as root on a machine, which must succeed; its standard output. */
  async on(machine: StackMachine, script: string, timeoutSeconds = 60): Promise<string> {
    return succeeded(await this.try(machine, script, timeoutSeconds)).stdout;
  }

  /** The same, however it ends. */
  async try(machine: StackMachine, script: string, timeoutSeconds = 60): Promise<Result> {
    return onMachine(machine, script, { timeoutSeconds, signal: this.signal });
  }

  /** The command line that runs kubectl from this project's folder. */
  line(kubectl: string): string {
    const stack = this.stack === "local" ? "" : ` STACK=${this.stack}`;
    return `make shell${stack} CMD='kubectl ${kubectl}'`;
  }

  /** Command lines that show the end of a unit's journal on machines; on all of a role if none are known. */
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
