import assert from "node:assert/strict";
import { agnhost } from "../../live/support/cluster.ts";
import { eventually, step } from "../../live/support/run.ts";

/** What the tests of network policies use of a cluster. */
interface PolicyTests {
  readonly it: (title: string, test: () => Promise<void>) => void;
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
}

const namespaces = ["policy-a", "policy-b"] as const;
const pods = ["web", "friend", "stranger"] as const;

/** Tests of network policies: what goes in and out, by the labels of Pods and of namespaces. */
export function policies({ it, kubectl }: PolicyTests): void {
  const apply = (...objects: object[]) =>
    kubectl(
      ["apply", "--filename=-"],
      objects.map((object) => JSON.stringify(object)).join("\n---\n"),
    );
  const addresses = new Map<string, string>();

  /** Whether a Pod gets an answer from the Pod `web` of namespace `policy-a`. */
  const reaches = async (namespace: string, pod: string): Promise<boolean> => {
    const target = `${addresses.get("policy-a/web")}:8080`;
    const command = ["/agnhost", "connect", "--timeout=5s", target];
    const args = ["--namespace", namespace, "exec", pod, "--", ...command];
    return kubectl(args).then(
      () => true,
      () => false,
    );
  };
  const expect = (expected: Readonly<Record<string, boolean>>) =>
    eventually(async () => {
      for (const [from, answer] of Object.entries(expected)) {
        const [namespace = "", pod = ""] = from.split("/");
        assert.equal(await reaches(namespace, pod), answer, from);
      }
    }, 180);
  const policy = (namespace: string, name: string, spec: object) =>
    apply({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { namespace, name },
      spec,
    });
  const forget = (namespace: string, name: string) =>
    kubectl(["--namespace", namespace, "delete", "networkpolicy", name]);

  it("network policies: Pods reach each other without any", async () => {
    for (const name of namespaces)
      await apply({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name, labels: { team: name } },
      });
    for (const namespace of namespaces) {
      await eventually(
        () => kubectl(["--namespace", namespace, "get", "serviceaccount", "default"]),
        120,
      );
      for (const name of pods)
        await apply({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { namespace, name, labels: { app: name } },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [
              {
                name: "agnhost",
                image: agnhost.name,
                imagePullPolicy: "Never",
                args: ["netexec", "--http-port=8080"],
              },
            ],
          },
        });
    }
    for (const namespace of namespaces) {
      const wait = ["wait", "--for=condition=Ready", "--timeout=600s", "pods", "--all"];
      await step(`Pods of ${namespace}`, () => kubectl(["--namespace", namespace, ...wait]));
      for (const name of pods) {
        const args = ["get", "pod", name, "--output=jsonpath={.status.podIP}"];
        const address = await kubectl(["--namespace", namespace, ...args]);
        addresses.set(`${namespace}/${name}`, address);
      }
    }
    await expect({ "policy-a/friend": true, "policy-a/stranger": true, "policy-b/friend": true });
  });

  it("Pods reach those of another machine", async () => {
    const path = "{.items[?(@.spec.nodeName=='cp1')].status.podIP}";
    const args = ["--namespace=kube-system", "get", "pods", "--selector=k8s-app=kube-dns"];
    const address = await kubectl([...args, `--output=jsonpath=${path}`]);
    assert.match(address, /^\d+(\.\d+){3}$/);
    const command = ["/agnhost", "connect", "--timeout=10s", `${address}:53`];
    await eventually(
      () => kubectl(["--namespace=policy-a", "exec", "friend", "--", ...command]),
      120,
    );
  });

  it("network policies: one that admits nobody", async () => {
    await policy("policy-a", "ingress", {
      podSelector: { matchLabels: { app: "web" } },
      policyTypes: ["Ingress"],
    });
    await expect({
      "policy-a/friend": false,
      "policy-a/stranger": false,
      "policy-b/friend": false,
    });
  });

  it("network policies: one that admits Pods with a label", async () => {
    await policy("policy-a", "ingress", {
      podSelector: { matchLabels: { app: "web" } },
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ podSelector: { matchLabels: { app: "friend" } } }] }],
    });
    await expect({ "policy-a/friend": true, "policy-a/stranger": false, "policy-b/friend": false });
  });

  it("network policies: one that admits a namespace", async () => {
    await policy("policy-a", "ingress", {
      podSelector: { matchLabels: { app: "web" } },
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "policy-b" } } }] }],
    });
    await expect({ "policy-b/friend": true, "policy-b/stranger": true, "policy-a/friend": false });
    await forget("policy-a", "ingress");
    await expect({ "policy-a/friend": true, "policy-a/stranger": true });
  });

  it("network policies: one that lets nothing out", async () => {
    await policy("policy-b", "egress", {
      podSelector: { matchLabels: { app: "stranger" } },
      policyTypes: ["Egress"],
    });
    await expect({ "policy-b/stranger": false, "policy-b/friend": true });
    await forget("policy-b", "egress");
    await expect({ "policy-b/stranger": true });
    await kubectl(["delete", "namespace", ...namespaces, "--wait=false"]);
  });
}
