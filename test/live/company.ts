/**
 * Makes a cluster in a company's network, which has a proxy (Debian's tinyproxy) and, behind it, a registry with a password and an authority
 * of its own (Debian's docker-registry): a Pod pulls its image there, the password changes, and both settings are taken out again.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { versionsOf } from "../../components/versions.ts";
import { unpackedPackage } from "../support/debian-package.ts";
import { agnhost, importTestImage, list, namespace, place, version } from "./support/cluster.ts";
import { LiveStack } from "./support/live-stack.ts";
import { changed, restarted } from "./support/machines.ts";
import { updateWithoutChange } from "./support/measures.ts";
import { eventually, output, run, step } from "./support/run.ts";

const stack = await LiveStack.create();
const { machines } = stack;
const nodes = ["cp1", "worker1"];
const company = await mkdtemp(join(tmpdir(), "kthw-company-"));
const at = (name: string) => join(company, name);

/** The computer's end of the machines' network: the proxy is there, and a registry that needs none. */
const gateway = "10.240.0.1";
const proxy = `http://machine:passWord1@${gateway}:3128`;
/** A name that nobody knows but the proxy, where nobody but the proxy comes. */
const registry = "registry.example.com:5000";
const near = `${gateway}:5001`;

const withProxy = await unpackedPackage("tinyproxy-bin");
const withRegistry = await unpackedPackage("docker-registry");
assert.ok(withProxy !== undefined && withRegistry !== undefined, "this takes a Debian");

const servers: { kill(): boolean }[] = [];
/** Starts a server in the machines' network, where the names of the file `hosts` are known. */
function serve(...command: string[]): void {
  const known = 'mount --bind "$0" /etc/hosts && exec "$@"';
  const words = ["netns", "exec", stack.namespace, "sh", "-c", known, at("hosts"), ...command];
  servers.push(spawn("ip", words, { stdio: "ignore" }));
}
const accept = async (password: string) => {
  const hash = `perl -e 'print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))' ${password}`;
  await writeFile(at("htpasswd"), `robot:${await machines.inside("cp1", hash)}\n`);
};
const configuration = (address: string, more: object) =>
  JSON.stringify({
    version: 0.1,
    storage: { filesystem: { rootdirectory: at("images") } },
    http: { addr: address, ...more },
  });

async function startServers(): Promise<void> {
  await output("bash", [
    "-euc",
    `cd "$0"
      openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=company -days 2
      openssl req -newkey rsa:2048 -nodes -keyout server.key -subj /CN=server |
        openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile <(echo subjectAltName=DNS:registry.example.com)`,
    company,
  ]);
  await accept("first");
  await writeFile(at("hosts"), "127.0.0.1 localhost registry.example.com\n");
  await writeFile(
    at("proxy.conf"),
    `Port 3128\nListen ${gateway}\nBasicAuth machine passWord1\nLogFile "${at("proxy.log")}"\nLogLevel Connect\n`,
  );
  const tls = { tls: { certificate: at("server.crt"), key: at("server.key") } };
  const byPassword = { htpasswd: { realm: "company", path: at("htpasswd") } };
  const behind = { ...JSON.parse(configuration("127.0.0.1:5000", tls)), auth: byPassword };
  await writeFile(at("registry.yml"), JSON.stringify(behind));
  await writeFile(at("near.yml"), configuration(near, {}));
  serve(join(withProxy!, "usr/bin/tinyproxy"), "-d", "-c", at("proxy.conf"));
  for (const name of ["registry.yml", "near.yml"])
    serve(join(withRegistry!, "usr/bin/docker-registry"), "serve", at(name));
  const curl = ["netns", "exec", stack.namespace, "curl", "--silent", "--show-error"];
  for (const url of [`http://${near}/v2/`, `https://127.0.0.1:5000/v2/`])
    await eventually(() => output("ip", [...curl, "--insecure", url]));
}

/** What machines asked the proxy for, each once. */
async function asked(): Promise<string[]> {
  const log = await readFile(at("proxy.log"), "utf8");
  const targets = [...log.matchAll(/Request \(file descriptor \d+\): \S+ (\S+)/g)];
  return [...new Set(targets.map(([, target]) => target!))].sort();
}

/** Starts a Pod whose image comes from a registry each time. */
async function pull(name: string, image: string): Promise<void> {
  const container = { name, image, imagePullPolicy: "Always", args: ["pause"] };
  await place(stack, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { nodeName: "worker1", terminationGracePeriodSeconds: 0, containers: [container] },
  });
}
const ready = (name: string) =>
  stack.kubectl([
    `--namespace=${namespace}`,
    ...["wait", "--for=condition=Ready", "--timeout=60s", `pod/${name}`],
  ]);
const containers = () => machines.inside("worker1", "crictl ps --quiet | sort");

/** Variables of proxies that the processes of services and of the Pod have, as `machine process variable`. */
async function variables(): Promise<string[]> {
  const units = ["containerd", "etcd", "kube-apiserver", "kube-controller-manager"];
  const all = [...units, "kube-scheduler", "kubelet", "kube-proxy"].join(" ");
  const script = `for unit in ${all}; do
      id=$(systemctl show --property=MainPID --value $unit)
      [ "$id" = 0 ] || tr '\\0' '\\n' </proc/$id/environ | grep -io '^[a-z]*_proxy' | sed "s/^/$unit /"
    done
    for id in $(pgrep agnhost); do tr '\\0' '\\n' </proc/$id/environ | grep -io '^[a-z]*_proxy' | sed 's/^/pod /'; done
    true`;
  const found = await Promise.all(
    nodes.map(async (name) =>
      (await machines.inside(name, script))
        .split("\n")
        .flatMap((line) => (line === "" ? [] : [`${name} ${line}`])),
    ),
  );
  return found.flat().sort();
}

/** Updates the stack; the services that were restarted, and the files that changed. */
async function update(title: string) {
  const before = await machines.lookAll();
  const { stdout, stderr } = await step(`pulumi up: ${title}`, () => stack.up());
  assert.doesNotMatch(stdout + stderr, /in plain text/);
  const after = await machines.lookAll();
  return { restarted: restarted(before, after), changed: changed(before, after) };
}

try {
  await stack.configure((settings) => {
    settings.loadBalancers = [];
    settings.controllers!.splice(1);
    settings.workerPools![0]!.machines!.splice(1);
  });
  await step("boot the machines", () => stack.upMachinesOnly());
  await step("start the proxy and the registries", startServers);
  await stack.configure((settings) => {
    settings.proxy = {};
    settings.registries = [
      { host: registry, username: "robot", authority: at("ca.crt") },
      { host: near, mirrors: [{ url: `http://${near}` }] },
    ];
  });
  for (const name of ["http", "https"]) await stack.setSecret(`proxy.${name}`, proxy);
  await stack.setSecret("registries[0].password", "first");
  const { stdout, stderr } = await step("pulumi up", () => stack.up());
  assert.doesNotMatch(stdout + stderr, /in plain text|passWord1/);
  await stack.takeKubeconfig();
  assert.deepEqual(
    await variables(),
    nodes.flatMap((name) =>
      ["http_proxy", "https_proxy", "no_proxy"].map((one) => `${name} containerd ${one}`),
    ),
  );
  console.log(await machines.inside("worker1", "sed 's/passWord1/PASSWORD/' /etc/kthw/proxy.env"));

  const smoke = await step("smoke", () => stack.script("operations/smoke/run-smoke.ts"));
  assert.equal(smoke.code, 0, smoke.stdout);
  assert.deepEqual(await asked(), []);
  await machines.inside("worker1", `crictl rmi ${agnhost.name}`);

  await step("push the test image to both registries", async () => {
    await importTestImage(stack, ["cp1"]);
    const { containerd } = versionsOf(version).folders;
    const copies = [`${registry}/team/agnhost:1`, `${near}/team/agnhost:1`];
    const ca = await readFile(at("ca.crt"), "utf8");
    await machines.inside(
      "cp1",
      `set -euo pipefail; cat >/root/ca.crt; ctr="${containerd}/ctr --namespace k8s.io images"
      for copy in ${copies.join(" ")}; do $ctr tag ${agnhost.name} $copy; done
      https_proxy=${proxy} $ctr push --local --tlscacert /root/ca.crt --user robot:first ${copies[0]}
      $ctr push --local --plain-http ${copies[1]}
      $ctr rm ${copies.join(" ")}; rm /root/ca.crt`,
      ca,
    );
  });
  await stack.kubectl(["create", "namespace", namespace]);
  await eventually(() => pull("first", `${registry}/team/agnhost:1`));
  await pull("near", `${near}/team/agnhost:1`);
  for (const name of ["first", "near"])
    await step(`the Pod ${name} has pulled its image`, () => ready(name));
  assert.deepEqual(
    (await variables()).filter((line) => line.includes("pod")),
    [],
  );

  const running = await containers();
  await accept("second");
  await pull("refused", `${registry}/team/agnhost:1`);
  await step("a Pod cannot pull its image by the former password", () =>
    eventually(async () => {
      const events = await list(stack, "events", `--namespace=${namespace}`);
      assert.match(JSON.stringify(events), /refused.*(401|no basic auth)/);
    }, 30),
  );
  await stack.kubectl([`--namespace=${namespace}`, "delete", "pod", "refused"]);
  await stack.setSecret("registries[0].password", "second");
  const hosts = `/etc/containerd/certs.d/${registry}/hosts.toml`;
  assert.deepEqual(await update("another password"), {
    restarted: [],
    changed: nodes.map((name) => `${name} ${hosts}`),
  });
  await pull("second", `${registry}/team/agnhost:1`);
  await step("a Pod has pulled its image by the new password", () => ready("second"));

  const same = await updateWithoutChange(stack);
  assert.equal(same.logins, 0);
  console.log(`      the proxy was asked for ${(await asked()).join(", ")}`);
  assert.deepEqual(await asked(), [registry]);

  const before = (await containers()).split("\n");
  await stack.configure((settings) => {
    delete settings.proxy;
    delete settings.registries;
  });
  const without = await update("without proxy and registries");
  console.log(`      restarted: ${without.restarted.join(", ")}`);
  console.log(`      changed:\n        ${without.changed.join("\n        ")}`);
  assert.deepEqual(
    without.restarted,
    nodes.map((name) => `${name} containerd.service`),
  );
  assert.deepEqual(await variables(), []);
  const after = (await containers()).split("\n");
  assert.ok(before.every((one) => after.includes(one)));
  assert.ok(running.split("\n").every((one) => after.includes(one)));
  for (const name of nodes) {
    const words = "-e example.com:5000 -e :3128 -e :5001";
    const files = `grep --recursive -Il ${words} /etc /var/lib/kthw || true`;
    const left = "ls -d /etc/containerd/certs.d /etc/kthw/proxy.env 2>/dev/null || true";
    assert.equal(await machines.inside(name, `${files}; ${left}`), "", name);
  }
  await step("nothing is left to do", () => stack.succeeding("preview", "--expect-no-changes"));
} catch (error) {
  await stack.keepLogs("company");
  console.log(`      logs: ${stack.logs}`);
  await run("cp", [at("proxy.log"), stack.logs]);
  throw error;
} finally {
  for (const server of servers) server.kill();
  await stack.remove();
  await rm(company, { recursive: true });
}
