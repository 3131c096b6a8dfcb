import assert from "node:assert/strict";
import { proxyFile } from "../node/downloads.ts";
import { founded } from "./support/left.ts";
import {
  describedBy,
  firstUpdate,
  type Graph,
  type LocalSettings,
  runProgram,
} from "./support/program.ts";

const machines = ["lb", "cp1", "cp2", "cp3", "worker1", "worker2"];
const nodes = machines.slice(1);
const hosts = "/etc/containerd/certs.d/registry.example.com/hosts.toml";

const proxied = (password: string) => (settings: LocalSettings) => {
  settings.proxy = { https: `http://machine:${password}@proxy.example.com:3128` };
};
const registered = (password: string) => (settings: LocalSettings) => {
  settings.registries = [{ host: "registry.example.com", username: "robot", password }];
};

const secretSettings = "PULUMI_CONFIG_SECRET_KEYS";
before(() => {
  process.env[secretSettings] = JSON.stringify(["kthw:proxy", "kthw:registries"]);
});
after(() => {
  delete process.env[secretSettings];
});

/** The inputs that differ between two runs of the program, as `resource input`. */
function differences(before: Graph, after: Graph): string[] {
  return after.commands().flatMap(({ name, inputs }) => {
    const former = before.command(name).inputs;
    return Object.keys(inputs)
      .filter((key) => JSON.stringify(inputs[key]) !== JSON.stringify(former[key]))
      .map((key) => `${name} ${key}`);
  });
}

describe("a proxy", () => {
  let graph: Graph;
  before(async () => {
    ({ graph } = await runProgram({ settings: proxied("TheWord") }));
  });

  it("is known to each machine before anything is downloaded", () => {
    for (const machine of machines) {
      const bundle = graph.command(`${machine}:proxy-pki`);
      const [file] = describedBy(bundle)!.files;
      assert.equal(file!.path, proxyFile);
      assert.equal(file!.mode, "0600");
      assert.match(
        file!.text,
        /^https_proxy="http:\/\/machine:TheWord@proxy\.example\.com:3128"$/m,
      );
      for (const command of graph.commands(machine))
        if (command !== bundle && command.name !== `${machine}:node`)
          if (
            /kthw-node (fetch|apply)/.test(String(command.inputs.create)) &&
            !command.name.endsWith("-pki")
          )
            assert.ok(graph.waits(command.name, bundle.name), command.name);
    }
  });
  it("is shown nowhere", () => {
    for (const { name, inputs } of graph.resources)
      for (const [key, value] of Object.entries(inputs))
        assert.ok(
          !JSON.stringify(value).includes("TheWord") || Object(value).secret,
          `${name} ${key}`,
        );
  });
  it("restarts containerd alone when it changes, one node after another", async () => {
    const { graph: changed } = await runProgram({
      settings: proxied("OtherWord"),
      state: founded,
    });
    assert.deepEqual(
      differences(graph, changed).sort(),
      [
        ...machines.map((machine) => `${machine}:proxy-pki stdin`),
        ...nodes.map((node) => `${node}:containerd update`),
      ].sort(),
    );
    assert.ok(changed.waits("worker2:containerd", "worker1:containerd"));
  });
});

describe("a registry", () => {
  let graph: Graph;
  before(async () => {
    ({ graph } = await runProgram({ settings: registered("TheWord") }));
  });

  it("is known to each node before containerd starts, in files of root alone", () => {
    for (const node of nodes) {
      const bundle = graph.command(`${node}:containerd-pki`);
      const [file] = describedBy(bundle)!.files;
      assert.deepEqual([file!.path, file!.mode], [hosts, "0600"]);
      assert.equal(typeof bundle.inputs.stdin, "object", "its text must be a secret");
      assert.ok(graph.waits(`${node}:containerd`, bundle.name));
    }
    assert.ok(!graph.commands("lb").some(({ name }) => name === "lb:containerd-pki"));
  });
  it("restarts nothing when it changes, comes or goes", async () => {
    const { graph: changed } = await runProgram({ settings: registered("OtherWord") });
    assert.deepEqual(
      differences(graph, changed),
      nodes.map((node) => `${node}:containerd-pki stdin`),
    );
    const { graph: without } = await firstUpdate();
    assert.deepEqual(differences(graph, without), []);
  });
});

it("a cluster that names neither has nothing of them", async () => {
  const { graph } = await firstUpdate();
  const names = graph.resources.map(({ name }) => name);
  assert.deepEqual(
    names.filter((name) => /^proxy$|:(proxy|containerd)-pki$/.test(name)),
    [],
  );
});
