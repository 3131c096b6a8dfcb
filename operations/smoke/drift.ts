import { dnsReplicas } from "../../services/core-dns.ts";
import { output } from "../access/command.ts";
import { describeDifferences, findDifferences, readPlaced } from "../check/differences.ts";
import { type Check, Fault } from "./check.ts";
import type { Cluster } from "./cluster.ts";
import { apiAnswers } from "./control-plane.ts";

/** Machines and Nodes are as the last update has placed them, as `make check` sees them. */
export const nothingDiffers: Check<Cluster> = {
  name: "machines and nodes are as the last update left them",
  async run({ stack }) {
    const differences = await findDifferences(await readPlaced(stack));
    const lines = describeDifferences(differences);
    if (lines.length === 0) return;
    const machines = differences.machines.map(({ machine }) => machine);
    const nodes = differences.nodes.map(({ node }) => node);
    throw new Fault(lines.join("\n"), ...new Set([...machines, ...nodes]));
  },
  lookAt: (cluster) => [cluster.makeLine("repair")],
};

/** The part of an APIService that is read. */
interface ApiServiceObject {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly service?: { readonly name: string; readonly namespace: string } };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
  };
}

/** Every APIService answers: one that does not keeps every namespace from being deleted. */
export const apiServicesAnswer: Check<Cluster> = {
  name: "every APIService answers",
  needs: [apiAnswers],
  async run(cluster) {
    const faults = await silentApiServices(cluster.signal);
    if (faults.length > 0) throw new Error(faults.join("\n"));
  },
  lookAt: (cluster) => [
    cluster.kubectlLine("get apiservices"),
    cluster.kubectlLine("delete apiservice NAME"),
  ],
};

/** What is to be said of each APIService that does not answer. */
export async function silentApiServices(signal?: AbortSignal): Promise<string[]> {
  const args = ["get", "apiservices", "--output=json", "--request-timeout=10s"];
  const text = await output("kubectl", args, { timeoutSeconds: 15, ...(signal && { signal }) });
  return silent(JSON.parse(text).items);
}

/** The same of APIServices as the API shows them. */
export function silent(services: readonly ApiServiceObject[]): string[] {
  return services.flatMap(({ metadata: { name }, spec: { service }, status }) => {
    const available = status?.conditions?.find(({ type }) => type === "Available");
    if (available?.status === "True") return [];
    const where = service === undefined ? "" : ` (${service.namespace}/${service.name})`;
    return [
      `the APIService ${name}${where} does not answer: ${available?.message ?? "it has not been tried"}; no namespace can be deleted until it answers or is deleted`,
    ];
  });
}

/** CoreDNS has as many pods as the program says. */
export const dnsServersThere: Check<Cluster> = {
  name: `CoreDNS has its ${dnsReplicas} pods`,
  needs: [apiAnswers],
  async run(cluster) {
    const { spec, status } = await cluster.get<{
      spec: { replicas: number };
      status: { readyReplicas?: number };
    }>("deployment/coredns", "--namespace=kube-system");
    if (spec.replicas !== dnsReplicas)
      throw new Error(
        `somebody has scaled the Deployment coredns to ${spec.replicas}; pulumi refresh, then make up puts that back`,
      );
    const { readyReplicas = 0 } = status;
    if (readyReplicas !== dnsReplicas)
      throw new Error(`${readyReplicas} of ${dnsReplicas} pods are ready`);
  },
  lookAt: (cluster) => [
    cluster.kubectlLine("describe deployment/coredns --namespace=kube-system"),
    cluster.kubectlLine(
      `scale deployment/coredns --namespace=kube-system --replicas=${dnsReplicas}`,
    ),
  ],
};
