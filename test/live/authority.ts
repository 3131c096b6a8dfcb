/**
 * Rotates the Kubernetes authority of a cluster while the API is asked, with a guest and a pool that joins by a token before, then lets
 * every client connect anew, and prints what each step takes and restarts: `authority.ts [company]`, with two authorities of a company
 * instead of the cluster's own, and without a guest.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv } from "node:process";
import { authority } from "../support/authority.ts";
import {
  importTestImage,
  list,
  namespace,
  place,
  podSpec,
  readyNodes,
  startPod,
} from "./support/cluster.ts";
import { GuestMachine } from "./support/guest-machine.ts";
import { LiveStack } from "./support/live-stack.ts";
import { restartsOf, rotate, served } from "./support/rotations.ts";
import { eventually, step, succeeded } from "./support/run.ts";

const stack = await LiveStack.create();
const { machines } = stack;
const controllers = ["cp1", "cp2", "cp3"];
const nodes = [...controllers, "worker1"];
const pki = "/etc/kubernetes/pki";
const once = Object.fromEntries(nodes.map((name) => [name, 1]));

/** Asks an API server for a path with a pair of the administrator; returns the status. */
const status = (controller: string, path: string, folder = pki) =>
  machines.inside(
    controller,
    `curl --silent --output /dev/null --write-out '%{http_code}' --cacert ${pki}/ca.crt --cert ${folder}/admin.crt --key ${folder}/admin.key https://127.0.0.1:6443${path}`,
  );

/** Starts a Pod that asks the API each second. */
async function startClient(name: string): Promise<void> {
  const [container] = podSpec.containers;
  const { readinessProbe: _, ...asking } = {
    ...container!,
    args: ["inclusterclient", "--poll-interval=1"],
  };
  await place(stack, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { ...podSpec, nodeName: "worker1", containers: [asking] },
  });
  const ready = ["--for=condition=Ready", "--timeout=60s", `pod/${name}`];
  await stack.kubectl([`--namespace=${namespace}`, "wait", ...ready]);
}

/** Both Pods have asked the API in the last seconds, and were answered each time. */
async function areAnswered(): Promise<void> {
  for (const pod of ["before", "after"]) {
    const log = await stack.kubectl([`--namespace=${namespace}`, "logs", "--since=5s", pod]);
    assert.match(log, /calling/, `${pod} asked nothing`);
    assert.doesNotMatch(log, /failed|error/, pod);
  }
}

/** Lets the pool of workers join in another way. */
const joining = (join: "certificates" | "bootstrapToken") =>
  stack.configure(({ workerPools }) => {
    workerPools![0]!.join = join;
  });

type Brought = Readonly<Record<"certificate" | "privateKey", string>>;
const isOfCompany = argv[2] === "company";
/** The folder of the company's authorities. */
const company = await mkdtemp(join(tmpdir(), "kthw-company-"));
const root = authority("Company root");
const [former, latter] = await Promise.all(
  [1, 2].map(async (number) => {
    const { certificate, key } = authority(`Company Kubernetes ${number}`, {
      by: root,
      pathLength: 0,
    });
    const privateKey = join(company, `${number}.pem`);
    await writeFile(privateKey, key, { mode: 0o600 });
    return { certificate: certificate + root.certificate, privateKey };
  }),
);
/** Lets authorities of the company sign, where they are wanted. */
const signing = (authority: Brought, nextAuthority?: Brought) =>
  stack.configure((settings) => {
    if (!isOfCompany) return;
    const { nextAuthority: _, ...others } = settings.certificates ?? {};
    settings.certificates = { ...others, authority, ...(nextAuthority && { nextAuthority }) };
  });

/** Makes a Node of a machine outside of the settings, with a Pod. */
async function letGuestJoin(): Promise<GuestMachine> {
  const guest = await step("boot a machine outside of Pulumi", () => GuestMachine.create(stack));
  await step("put on it what kubeadm needs", () => guest.prepare());
  await guest.join();
  await guest.approve();
  await step("a Pod on the guest", () => startPod(stack, "away", guest.name));
  return guest;
}

/** The guest knows only the former authority, works by the cross certificate, and joins anew. */
async function letGuestJoinAnew(guest: GuestMachine): Promise<void> {
  for (const [pair, expected] of [
    ["admin", "401"],
    ["apiserver-kubelet-client", "200"],
  ]) {
    const ask = `curl --silent --insecure --output /dev/null --write-out '%{http_code}' --cert ${pki}/${pair}.crt --key ${pki}/${pair}.key`;
    const answer = await machines.inside("cp1", `${ask} https://${guest.address}:10250/healthz`);
    assert.equal(answer, expected, pair);
  }
  // API servers close their connections to kubelets when they take another pair.
  await eventually(() => stack.kubectl([`--namespace=${namespace}`, "logs", "away"]));
  const { code, stdout } = await stack.pulumi("up", "--yes", "--skip-preview");
  assert.notEqual(code, 0);
  assert.match(stdout, /the kubelet of guest1 has a certificate of the authority/);
  await guest.leave();
  await guest.join();
  const again = await stack.pulumi("up", "--yes", "--skip-preview");
  assert.notEqual(again.code, 0);
  assert.match(again.stdout, /the kubelet of guest1 serves with no certificate/);
  await guest.approve();
}

try {
  await stack.configure((settings) => {
    settings.workerPools![0]!.machines!.splice(1);
    if (!isOfCompany) settings.joinTokens = [{ name: "guests" }];
  });
  await signing(former!);
  await joining("bootstrapToken");
  await step("pulumi up", () => stack.up());
  await stack.takeKubeconfig();
  await importTestImage(stack, ["worker1"]);
  await stack.kubectl(["create", "namespace", namespace]);
  const guest = isOfCompany ? undefined : await letGuestJoin();
  await step("a Pod asks the API", () => eventually(() => startClient("before"), 60));
  await machines.inside(
    "cp1",
    `install -d -m 0700 /root/old && cp ${pki}/admin.crt ${pki}/admin.key /root/old`,
  );
  assert.equal(await status("cp1", "/api/v1/nodes", "/root/old"), "200");

  const before = stack.settings;
  await stack.configure((settings) => {
    settings.certificates = { ...settings.certificates, rotation: { kubernetesCa: "trust 2" } };
  });
  const { code, stdout } = await stack.pulumi("preview");
  assert.notEqual(code, 0);
  assert.match(stdout, /workerPools\[0\], which joins by bootstrapToken, keeps the authority/);
  await stack.write(before);
  await joining("certificates");
  await step("pulumi up, with a pool that joins by certificates", () => stack.up());

  await signing(former!, latter!);
  const steps = await rotate(stack, "kubernetesCa", async () => {
    await signing(latter!);
    if (guest) await letGuestJoinAnew(guest);
  });
  assert.deepEqual(restartsOf("etcd", steps), {});
  assert.deepEqual(restartsOf("kube-apiserver", steps), {});
  assert.deepEqual(restartsOf("kube-controller-manager", steps), { cp1: 2, cp2: 2, cp3: 2 });
  assert.deepEqual(restartsOf("kube-scheduler", steps), { cp1: 1, cp2: 1, cp3: 1 });
  assert.deepEqual(restartsOf("kubelet", steps), once);
  assert.deepEqual(restartsOf("kube-proxy", steps), once);

  assert.equal(await status("cp1", "/api/v1/nodes", "/root/old"), "401");
  for (const controller of controllers) {
    assert.match(
      await served(stack, controller, 6443),
      isOfCompany ? /Company Kubernetes 2/ : /kubernetes-ca-2/,
    );
    // An API server that takes another pair loses the connection by which it notices.
    for (const node of nodes)
      await eventually(async () =>
        assert.equal(await status(controller, `/api/v1/nodes/${node}/proxy/healthz`), "200"),
      );
  }
  const published = await list(
    stack,
    "configmaps",
    "--all-namespaces",
    "--field-selector=metadata.name=kube-root-ca.crt",
  );
  // With the root, where there is one above the authority.
  const each = isOfCompany ? 2 : 1;
  const certificates = JSON.stringify(published).match(/BEGIN CERTIFICATE/g);
  assert.equal(certificates?.length, published.length * each);
  await step("a second Pod asks the API", () => startClient("after"));
  await step("both Pods are answered", () => eventually(areAnswered));

  for (const controller of controllers)
    await step(`${controller}: another start of the API server`, async () => {
      await machines.inside(controller, "systemctl restart kube-apiserver");
      await eventually(async () => assert.equal(await status(controller, "/readyz"), "200"), 60);
    });
  await step("both Pods are answered, over new connections", () => eventually(areAnswered, 30));
  assert.deepEqual(await readyNodes(stack), [...nodes, ...(guest ? [guest.name] : [])].sort());
  console.log(succeeded(await step("make smoke", () => stack.make("smoke"))).stdout);
  await step("nothing is left to do", () => stack.succeeding("preview", "--expect-no-changes"));
} finally {
  await rm(company, { recursive: true });
  await stack.remove();
}
