import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Architecture,
  defaultKubernetesVersion,
  testImages,
} from "../../../components/versions.ts";
import { dial } from "../../../operations/smoke/network.ts";
import type { LiveStack } from "./live-stack.ts";
import { eventually } from "./run.ts";

export { etcdctl } from "../../../operations/access/etcdctl.ts";

/** The version of Kubernetes that is tested. */
export const version = defaultKubernetesVersion;
/** The architecture of this computer, as Go names it. */
export const architecture: Architecture = process.arch === "arm64" ? "arm64" : "amd64";

/** Kubernetes' own test image. */
export const { agnhost } = testImages(version, architecture);

/** The namespace of all objects that the tests make. */
export const namespace = "live-test";

/** The part of a Kubernetes object that the tests read. */
export interface KubernetesObject {
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  readonly spec: {
    readonly nodeName: string;
    readonly clusterIP: string;
    readonly ports: readonly { readonly nodePort: number }[];
  };
  readonly status: {
    readonly podIP: string;
    readonly capacity?: Record<string, string>;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** Lists objects of the cluster; `args` are arguments of `kubectl get`. */
export async function list(stack: LiveStack, ...args: string[]): Promise<KubernetesObject[]> {
  return JSON.parse(await stack.kubectl(["get", ...args, "--output=json"])).items;
}

/** Names of the Nodes that are Ready. */
export async function readyNodes(stack: LiveStack): Promise<string[]> {
  const nodes = await list(stack, "nodes");
  return nodes
    .filter(({ status }) =>
      status.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
    )
    .map(({ metadata }) => metadata.name)
    .sort();
}

/** Imports the test image into containerd on machines, as the program does with its own images. */
export async function importTestImage(
  stack: LiveStack,
  machines: readonly string[],
): Promise<void> {
  const sums = await readFile(join(stack.mirror, "SHA256SUMS"), "utf8");
  const sum = sums.split("\n").find((line) => line.endsWith(`  ${agnhost.file}`));
  const line = `image ${agnhost.name} file:///opt/kthw-mirror/${agnhost.file} sha256:${sum?.slice(0, 64)}\n`;
  await Promise.all(machines.map((name) => stack.machines.inside(name, "kthw-node fetch", line)));
}

/** Creates or updates objects in the tests' namespace. */
export async function place(stack: LiveStack, ...objects: object[]): Promise<void> {
  const items = objects.map((object) => JSON.stringify(object)).join("\n---\n");
  await stack.kubectl(["--namespace", namespace, "apply", "--filename=-"], items);
}

/** Starts a Pod of the test image, and waits until the Pod serves HTTP. */
export async function startPod(stack: LiveStack, name: string, node?: string): Promise<void> {
  // Of several that make the namespace at the same time, all but one fail.
  await eventually(() => stack.kubectl(["apply", "--filename=-"], namespaceManifest));
  // The API refuses Pods until the namespace has its default service account.
  await eventually(() =>
    stack.kubectl(["--namespace", namespace, "get", "serviceaccount", "default"]),
  );
  await place(stack, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: { ...podSpec, ...(node !== undefined && { nodeName: node }) },
  });
  await stack.kubectl([
    `--namespace=${namespace}`,
    "wait",
    "--for=condition=Ready",
    "--timeout=60s",
    `pod/${name}`,
  ]);
}

/** The specification of a Pod of the tests. */
export const podSpec = {
  terminationGracePeriodSeconds: 0,
  containers: [
    {
      name: "agnhost",
      image: agnhost.name,
      imagePullPolicy: "Never",
      args: ["netexec", "--http-port=8080"],
      readinessProbe: { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 1 },
    },
  ],
};

/** Lets a Pod request a host name over HTTP; returns the answer. */
export async function ask(
  stack: LiveStack,
  pod: string,
  host: string,
  port: number,
): Promise<string> {
  return dial((args) => stack.kubectl(args), { namespace, pod, host, port });
}

const namespaceManifest = JSON.stringify({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: namespace },
});
