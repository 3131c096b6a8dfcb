import { run } from "../access/command.ts";
import type { Collected } from "./collected.ts";
import { redact, withoutEnvironment } from "./redact.ts";

/** How long each request to the API may take. */
const timeoutSeconds = 30;

/** Arguments of kubectl by the name of the file for their output; none asks for a Secret or a ConfigMap. */
const requests: Readonly<Record<string, string>> = {
  readyz: "get --raw /readyz?verbose",
  version: "version",
  nodes: "get nodes --output=wide",
  "nodes-described": "describe nodes",
  pods: "get pods --all-namespaces --output=wide",
  "pods-described": "describe pods --all-namespaces",
  workloads:
    "get deployments,daemonsets,statefulsets,jobs,poddisruptionbudgets --all-namespaces --output=wide",
  services: "get services,endpointslices --all-namespaces --output=wide",
  "signing-requests": "get certificatesigningrequests",
  events: "get events --all-namespaces --output=wide --sort-by=.metadata.creationTimestamp",
};

/** Collects Nodes, Pods, events and more from the API, without secrets. */
export async function collectCluster(signal: AbortSignal): Promise<Collected> {
  const files = new Map<string, string>();
  const missing: string[] = [];
  await Promise.all(
    Object.entries(requests).map(async ([name, words]) => {
      const args = [...words.split(" "), "--request-timeout=20s"];
      const { code, stdout, stderr } = await run("kubectl", args, { timeoutSeconds, signal });
      const said = name === "pods-described" ? withoutEnvironment(stdout) : stdout;
      if (stdout !== "") files.set(name, redact(said));
      if (code === 0) return;
      const [why] = stderr.trim().split("\n").slice(-1);
      missing.push(redact(`the cluster's ${name}: ${why}`));
    }),
  );
  return { files, missing: missing.sort() };
}
