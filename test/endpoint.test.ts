import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { asksStanding, turnsOf } from "../services/shared-address.ts";
import { mistakesOfEndpoint } from "../settings/shared-address.ts";
import { sharedAddressFindings } from "../stacks/hosts/shared-address.ts";
import { founded } from "./support/left.ts";
import { type Graph, type LocalSettings, runProgram, stdinOf } from "./support/program.ts";
import { changed, settings } from "./support/settings.ts";

const own = "https://10.240.0.11:6443";

describe("a cluster of one machine", () => {
  let graph: Graph;
  before(async () => {
    ({ graph } = await runProgram({ stack: "small" }));
  });

  it("has that machine alone, and nothing in front of the API", () => {
    const machines = new Set(graph.commands().map(({ name }) => name.split(":")[0]));
    assert.deepEqual([...machines], ["cp1"]);
    assert.ok(!graph.commands().some(({ name }) => name.endsWith(":api-load-balancer")));
  });
  it("reaches the API at the controller itself", () => {
    for (const service of ["kubelet", "kube-proxy"])
      assert.match(stdinOf(graph.command(`cp1:${service}`)), new RegExp(`server: ${own}$`, "m"));
    assert.ok(String(graph.command("cp1:control-plane-healthy").inputs.create).includes(own));
    const network = graph.resources.find(({ name }) => name === "machines:network")!;
    const { KTHW_API_TARGET } = network.inputs.environment as Record<string, string>;
    assert.equal(KTHW_API_TARGET, "10.240.0.11:6443");
  });
  it("runs pods on the controller", () =>
    assert.ok(!graph.resources.some(({ name }) => name.endsWith(":taints"))));
});

const address = "10.240.0.5";
const share = (settings: LocalSettings) => {
  settings.loadBalancers.push({ name: "lb2", address: "10.240.0.9" });
  settings.endpoint = { address };
};

describe("two load balancers", () => {
  let graph: Graph;
  before(async () => {
    ({ graph } = await runProgram({ settings: share, state: founded }));
  });

  it("share an address by which all machines reach the API", () => {
    for (const name of ["worker1:kubelet", "worker1:kube-proxy", "cp1:kubelet"])
      assert.ok(stdinOf(graph.command(name)).includes(`server: https://${address}:6443`), name);
    const requests = graph.ofType("tls:index/certRequest:CertRequest");
    const { inputs } = requests.find(({ name }) => /^cp1:.*apiserver/.test(name))!;
    assert.ok((inputs.ipAddresses as string[]).includes(address));
  });
  it("know each other, and none knows itself", () => {
    const peers = (name: string) =>
      /unicast_peer \{\n([^}]*)\}/
        .exec(stdinOf(graph.command(`${name}:shared-address`)))![1]!
        .trim();
    assert.equal(peers("lb"), "10.240.0.9 # lb2");
    assert.equal(peers("lb2"), "10.240.0.10 # lb");
  });
  it("change one after another, nginx first", () => {
    assert.ok(graph.waits("lb:shared-address", "lb:api-load-balancer"));
    assert.ok(graph.waits("lb2:api-load-balancer", "lb:endpoint-healthy"));
    assert.ok(graph.waits("lb:api-load-balancer", "cp3:kube-apiserver"));
  });
  it("change in another order where the first one has the address", async () => {
    const { graph } = await runProgram({
      settings: share,
      state: founded,
      outputs: ({ name }) => {
        if (name === "lb:shared-address-standing") return { stdout: "holder\n" };
        return name === "lb2:shared-address-standing" ? { stdout: "member\n" } : {};
      },
    });
    assert.ok(graph.waits("lb:api-load-balancer", "lb2:endpoint-healthy"));
    assert.ok(!graph.waits("lb2:api-load-balancer", "lb:api-load-balancer"));
    assert.ok(graph.waits("lb:shared-address-standing", "cp3:kube-apiserver"));
  });
  it("are asked again whenever one of them is to change, and only then", async () => {
    const asks = ({ inputs }: ReturnType<Graph["command"]>) => String(inputs.create);
    const { graph: same } = await runProgram({ settings: share });
    const { graph: other } = await runProgram({
      settings: (settings) => {
        share(settings);
        settings.loadBalancers.push({ name: "lb3", address: "10.240.0.8" });
      },
    });
    for (const name of ["lb:shared-address-standing", "lb2:shared-address-standing"]) {
      assert.ok(asks(graph.command(name)).includes(asksStanding(address)));
      assert.equal(asks(same.command(name)), asks(graph.command(name)));
      assert.notEqual(asks(other.command(name)), asks(graph.command(name)));
    }
  });
  it("are waited for until one has the address, and the operator is led there then", () => {
    const endpoint = graph.resources.find(({ name }) => name === "machines:endpoint")!;
    const gates = ["lb", "lb2"].map((name) => graph.command(`${name}:endpoint-healthy`));
    for (const gate of gates) {
      assert.ok(String(gate.inputs.create).includes(`https://${address}:6443/livez`));
      assert.ok(graph.awaited(endpoint).has(gate));
      assert.ok(graph.awaited(graph.command("cp1:control-plane-healthy")).has(gate));
    }
    const [provider] = graph.ofType("pulumi:providers:kubernetes");
    assert.ok(graph.awaited(provider!).has(endpoint));
  });
  it("have the same way to the API from this computer as the first of them alone", () => {
    const network = graph.resources.find(({ name }) => name === "machines:network")!;
    const { KTHW_API_TARGET } = network.inputs.environment as Record<string, string>;
    assert.equal(KTHW_API_TARGET, "10.240.0.10:6443");
  });
});

describe("the order of load balancers that share an address", () => {
  it("has the holder after those that know it, and new ones at the end", () => {
    assert.deepEqual(turnsOf(["new\n", "holder\n", "member\n", "member\n"]), [2, 3, 1, 0]);
    assert.deepEqual(turnsOf(["holder", "member"]), [1, 0]);
  });
  it("is that of the settings where nobody knows", () => {
    assert.deepEqual(turnsOf(["new", "new"]), [0, 1]);
    assert.deepEqual(turnsOf([undefined, undefined, undefined]), [0, 1, 2]);
  });
});

describe("a living cluster with a shared address", () => {
  const urn = (type: string, name: string) => `urn:pulumi:mocks::kthw::${type}::${name}`;
  const stash = (name: string, input: unknown) => ({
    urn: urn("kthw:index:X$pulumi:index:Stash", name),
    type: "pulumi:index:Stash",
    outputs: { input },
  });
  const gate = (name: string) => ({
    urn: urn("kthw:index:Host$command:remote:Command", `${name}:endpoint-healthy`),
    type: "command:remote:Command",
    outputs: {},
  });
  const left = [stash("shared-address", address), gate("lb"), gate("lb2")];
  const mistakes = (change: object, state = left) =>
    mistakesOfEndpoint(state, settings(changed({ ...two, ...change })));
  const two = {
    "loadBalancers[1]": { name: "lb2", address: "10.240.0.9" },
    "endpoint.address": address,
  };
  const lb3 = { name: "lb3", address: "10.240.0.8" };

  it("keeps its load balancers, gets more, loses some, and goes back to one", () => {
    assert.deepEqual(mistakes({}, []), []);
    assert.deepEqual(mistakes({}), []);
    assert.deepEqual(mistakes({ "loadBalancers[2]": lb3 }), []);
    assert.deepEqual(mistakes({}, [...left, gate("lb3")]), []);
    assert.deepEqual(mistakes({ "loadBalancers[1]": undefined, endpoint: undefined }), []);
  });
  it("gets another address only by way of none", () =>
    assert.deepEqual(mistakes({ "endpoint.address": "10.240.0.6" }), [
      "endpoint.address: not to be changed while machines use another, got 10.240.0.6; put 10.240.0.5 back, or go by one load balancer without endpoint in an update in between",
    ]));
  it("does not share the address of a machine that is still there", () =>
    assert.deepEqual(mistakes({}, [stash(`${address}:machine`, "lb0")]), [
      "endpoint.address: belongs to lb0, which leaves in this update, got 10.240.0.5; choose another, or take lb0 out with one update, then share the address with the next",
    ]));
  it("gives no machine the address that is still shared", () =>
    assert.deepEqual(
      mistakes({
        "loadBalancers[1]": undefined,
        endpoint: undefined,
        "loadBalancers[0].address": address,
      }),
      [
        "loadBalancers[0].address: shared by load balancers until the end of this update, got 10.240.0.5; choose another, or add the machine with the next update",
      ],
    ));
  it("exchanges a load balancer in two updates, since the one that leaves would not know the new one", () =>
    assert.deepEqual(mistakes({ "loadBalancers[1]": lb3 }), [
      "loadBalancers[1].name: new while lb2 leaves, got lb3; add lb3 with one update, then take lb2 out with the next",
    ]));
});

describe("the check of a host that is to share an address", () => {
  let folder: string;
  const keyFile = () => path.join(folder, "key");
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-endpoint-"));
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keyFile()]);
  });
  after(() => rmSync(folder, { recursive: true }));

  const found = (programs: { curl: number; neigh?: string; own?: string; isOurs?: boolean }) => {
    const { curl, neigh = "", own = "", isOurs = false } = programs;
    const stubs = `name=lb
wrong() { printf '%s: %s, got %s; %s\\n' "$name" "$@"; }
is_ours() { ${isOurs}; }
curl() { return ${curl}; }
ip() { case $* in *neigh*) echo '${neigh}' ;; *) printf %s '${own}' ;; esac; }
`;
    return execFileSync("sh", ["-c", stubs + sharedAddressFindings(address)], { encoding: "utf8" });
  };
  const taken = (owner: string) =>
    `lb: the address 10.240.0.5 of the endpoint is taken, got ${owner}; choose a free one as endpoint.address\n`;
  const other = "10.240.0.5 dev eth0 lladdr 02:00:00:00:00:07 REACHABLE";

  it("names the one that has it", () => {
    assert.equal(found({ curl: 7, neigh: other }), taken("02:00:00:00:00:07"));
    assert.equal(found({ curl: 7, own: "2: eth0 inet 10.240.0.5/24" }), taken("lb"));
  });
  it("finds nothing where nobody answers", () =>
    assert.equal(found({ curl: 28, neigh: "10.240.0.5 dev eth0 INCOMPLETE" }), ""));
  it("finds nothing where load balancers share it already", () => {
    assert.equal(found({ curl: 0, neigh: other }), "");
    assert.equal(found({ curl: 7, neigh: other, isOurs: true }), "");
  });
  it("is that of load balancers alone, and of those with such an address", async () => {
    const onHosts = async (shares: boolean) => {
      const { graph } = await runProgram({
        settings: (settings) => {
          settings.platform = "hosts";
          settings.hosts = { privateKeyFile: keyFile() };
          if (shares) share(settings);
        },
      });
      return graph
        .commands()
        .filter((one) => stdinOf(one).includes("is_ours shared-address.service"))
        .map(({ name }) => name);
    };
    assert.deepEqual(await onHosts(true), ["lb:host-check", "lb2:host-check"]);
    assert.deepEqual(await onHosts(false), []);
  });
});
