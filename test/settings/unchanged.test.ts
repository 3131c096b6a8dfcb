import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { ClusterRecord } from "../../settings/unchanged.ts";
import { platforms } from "../../stacks/platforms.ts";
import { authority, type Made } from "../support/authority.ts";
import { remembering } from "../support/left.ts";
import { computed, runProgram } from "../support/program.ts";
import { record } from "../support/record.ts";
import {
  type Change,
  changed,
  settings,
  withWeave,
  worker1,
  worker2,
  worker3,
} from "../support/settings.ts";

/** What Pulumi's state remembers, by the name of what remembers it. */
type State = ReadonlyMap<string, unknown>;

const privateKey = generateKeyPairSync("ed25519", {
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
}).privateKey;

/** Compares changed settings with what the state remembers of a cluster, by default nothing. */
async function compare(change: Change, state: State = new Map(), preview = false) {
  const all = settings(changed(change), { read: () => privateKey });
  const { claims, unchanging } = platforms[all.platform];
  const kept = { platform: all.platform, ...unchanging(all) };
  const { resources, exports: mistakes } = await record(
    async () => await new ClusterRecord("record", all, claims(all), kept).mistakes,
    {
      preview,
      outputs: (one) => (state.has(one.name) ? { output: state.get(one.name) } : computed(one)),
    },
  );
  const stashes = resources.filter(({ type }) => type === "pulumi:index:Stash");
  return { mistakes, stashes };
}

/** What the state remembers after a first update. */
async function madeWith(change: Change = {}): Promise<State> {
  const { stashes } = await compare(change);
  return new Map(stashes.map(({ name, inputs }) => [name, inputs.input]));
}

const living = "cannot be changed on a living cluster";
const another = "or make another cluster by make down and make up";
const named = "or let a machine of another name have the new one";
const again = (name: string) =>
  `or take ${name} out with one update and add it again with the next`;

describe("a living cluster", () => {
  const refused: readonly (readonly [Change, ...string[]])[] = [
    [
      { serviceCidr: "10.33.0.0/24" },
      `serviceCidr: ${living}, got 10.33.0.0/24; put 10.32.0.0/24 back, ${another}`,
    ],
    [
      { podCidr: "10.200.0.0/15" },
      `podCidr: ${living}, got 10.200.0.0/15; put 10.200.0.0/16 back, ${another}`,
    ],
    [
      { clusterDomain: "example.org" },
      `clusterDomain: ${living}, got example.org; put cluster.local back, ${another}`,
    ],
    [
      { platform: "hosts", "hosts.privateKeyFile": "/key" },
      `platform: ${living}, got hosts; put local back, ${another}`,
    ],
    [withWeave, `network: ${living}, got weave; put bridge back, ${another}`],
    [{ clusterName: "prod" }, `clusterName: ${living}, got prod; put kubernetes back, ${another}`],
    [
      { dnsAddress: "10.32.0.53" },
      `dnsAddress: ${living}, got 10.32.0.53; put 10.32.0.10 back, ${another}`,
    ],
    [
      { "apiServer.extraFlags.service-account-issuer": "https://example.org" },
      `apiServer.extraFlags.service-account-issuer: ${living}, got https://example.org; put the program's own back, ${another}`,
    ],
    [
      {
        "apiServer.extraFlags.service-account-issuer": ["https://example.org", "https://a.org"],
      },
      `apiServer.extraFlags.service-account-issuer: ${living}, got https://example.org, https://a.org; put the program's own back, ${another}`,
    ],
    [
      { "loadBalancers[0].address": "10.240.0.9" },
      `loadBalancers[0].address: ${living}, got 10.240.0.9; put 10.240.0.10 back, ${named}`,
    ],
    [
      { [`${worker1}.podCidr`]: "10.200.31.0/24" },
      `${worker1}.podCidr: ${living}, got 10.200.31.0/24; put 10.200.21.0/24 back, ${again("worker1")}`,
    ],
    [
      { clusterDomain: "example.org", "controllers[1].address": "10.240.0.99" },
      `clusterDomain: ${living}, got example.org; put cluster.local back, ${another}`,
      `controllers[1].address: ${living}, got 10.240.0.99; put 10.240.0.12 back, ${named}`,
    ],
    [
      { [`${worker1}.address`]: "10.240.0.22", [`${worker2}.address`]: "10.240.0.21" },
      `${worker1}.address: ${living}, got 10.240.0.22; put 10.240.0.21 back, ${again("worker1")}`,
      `${worker2}.address: ${living}, got 10.240.0.21; put 10.240.0.22 back, ${again("worker2")}`,
    ],
  ];
  for (const [change, ...expected] of refused)
    it(`refuses ${expected[0]}`, async () =>
      assert.deepEqual((await compare(change, await madeWith())).mistakes, expected));

  it("takes what it was made with, and machines that come and go", async () => {
    const state = await madeWith();
    for (const change of [{}, { "workerPools[0].machines[2]": worker3 }, { [worker2]: undefined }])
      assert.deepEqual((await compare(change, state)).mistakes, []);
  });

  it("takes a default that is written out, and one that is left out again", async () => {
    const written = {
      dnsAddress: "10.32.0.10",
      "apiServer.extraFlags.service-account-issuer": "https://kubernetes.default.svc.cluster.local",
    };
    assert.deepEqual((await compare(written, await madeWith())).mistakes, []);
    assert.deepEqual((await compare({}, await madeWith(written))).mistakes, []);
  });

  it("takes further issuers beside the first, behind or before it", async () => {
    const issuers = (...list: string[]) => ({
      "apiServer.extraFlags.service-account-issuer": list,
    });
    const own = "https://kubernetes.default.svc.cluster.local";
    const made = await madeWith();
    assert.deepEqual((await compare(issuers(own, "https://b.org"), made)).mistakes, []);
    assert.deepEqual((await compare(issuers("https://b.org", own), made)).mistakes, []);
    const list = await madeWith(issuers("https://b.org", own));
    assert.deepEqual((await compare(issuers("https://b.org"), list)).mistakes, []);
    const other = { "apiServer.extraFlags.service-account-issuer": "https://b.org" };
    assert.deepEqual((await compare(other, list)).mistakes, []);
    assert.equal((await compare({}, list)).mistakes.length, 1);
  });

  it("refuses another authority", async () => {
    const state = new Map([["kubernetes-ca:identity", { "certificates.authority": "CN=A" }]]);
    assert.deepEqual((await compare({}, state)).mistakes, [
      `certificates.authority: ${living}, got the program's own; put CN=A back, ${another}`,
    ]);
  });

  it("knows an authority by the generation, also as the next one", async () => {
    const root = authority("Root");
    const [one, other] = [authority("One", { by: root }), authority("Other", { by: root })];
    const group = ({ certificate, key }: Made) => ({
      certificate: certificate + root.certificate,
      privateKey: key,
    });
    const at = (step: string, ...[first, next]: Made[]): Change => ({
      "certificates.rotation.kubernetesCa": step,
      "certificates.authority": group(first!),
      ...(next && { "certificates.nextAuthority": group(next) }),
    });
    const signing = await madeWith(at("sign 2", one!, other!));
    assert.deepEqual((await compare(at("drop 1", other!), signing)).mistakes, []);
    const back = (await compare(at("drop 1", one!), signing)).mistakes;
    assert.match(
      back.join("\n"),
      /^certificates\.authority: cannot .*, got CN=One .*; put CN=Other .* back, or rotate to it from another one of yours by certificates\.nextAuthority$/,
    );
    const third = (await compare(at("sign 2", one!, authority("Third", { by: root })), signing))
      .mistakes;
    assert.match(
      third.join("\n"),
      /^certificates\.nextAuthority: cannot .*, got CN=Third .*; put CN=Other .* back, or undo the steps of the rotation first$/,
    );
  });

  it("is taken over from an earlier version, whatever that remembered", async () => {
    const { stashes } = await compare({});
    const aliases = (name: string) => stashes.find((stash) => stash.name === name)?.aliases;
    const former = (parent: string, name: string) => [
      `urn:pulumi:mocks::kthw::kthw:index:${parent}$pulumi:index:Stash::${name}`,
    ];
    assert.deepEqual(
      aliases("kubernetes-ca:identity"),
      former("CertificateAuthority", "kubernetes-ca:identity"),
    );
    assert.deepEqual(aliases("worker1:address"), former("ExistingHosts", "worker1:address"));
    // Such a version had one record of an authority, also after a rotation.
    const authorities = async (step: string) => {
      const turned = await compare({ "certificates.rotation.kubernetesCa": step });
      const records = turned.stashes.filter(({ name }) => name.endsWith(":identity"));
      return Object.fromEntries(records.map((one) => [one.name, one.aliases]));
    };
    const one = former("ClusterRecord", "kubernetes-ca:identity");
    assert.deepEqual(await authorities("drop 1"), { "kubernetes-ca-2:identity": one });
    assert.deepEqual(await authorities("trust 3"), {
      "kubernetes-ca-2:identity": one,
      "kubernetes-ca-3:identity": [],
    });
    const texts = new Map([
      ["kubernetes-ca:identity", "the program's own"],
      ["worker1:address", "10.240.0.21"],
    ]);
    assert.deepEqual((await compare({}, texts)).mistakes, []);
    const another = await compare({ [`${worker1}.address`]: "10.240.0.31" }, texts);
    assert.deepEqual(another.mistakes, [
      `${worker1}.address: ${living}, got 10.240.0.31; put 10.240.0.21 back, ${again("worker1")}`,
    ]);
    // The update that took the cluster over remembered the pod range beside the former text.
    const since = new Map<string, unknown>([
      ...texts,
      ["worker1:podCidr", { podCidr: "10.200.21.0/24" }],
    ]);
    const range = await compare({ [`${worker1}.podCidr`]: "10.200.31.0/24" }, since);
    assert.deepEqual(range.mistakes, [
      `${worker1}.podCidr: ${living}, got 10.200.31.0/24; put 10.200.21.0/24 back, ${again("worker1")}`,
    ]);
  });

  it("is a bridge cluster if it is older than the choice of a network", async () => {
    const { "record:cluster": made, ...rest } = Object.fromEntries(await madeWith());
    const { network: _, ...older } = made as Record<string, string>;
    const state = new Map(Object.entries({ ...rest, "record:cluster": older }));
    assert.deepEqual((await compare({}, state)).mistakes, []);
    assert.deepEqual((await compare(withWeave, state)).mistakes, [
      `network: ${living}, got weave; put bridge back, ${another}`,
    ]);
  });

  it("keeps its network's datapath", async () => {
    const state = await madeWith(withWeave);
    assert.deepEqual((await compare({ ...withWeave, "weave.mtu": 1300 }, state)).mistakes, []);
    assert.deepEqual(
      (await compare({ ...withWeave, "weave.fastDatapath": false }, state)).mistakes,
      [`weave.fastDatapath: ${living}, got false; put true back, ${another}`],
    );
    assert.deepEqual((await compare({}, state)).mistakes, [
      `network: ${living}, got bridge; put weave back, ${another}`,
    ]);
  });

  it("is not held to what nothing remembers", async () => {
    const change = { clusterDomain: "example.org", serviceCidr: "10.33.0.0/24" };
    const older = new Map([["record:cluster", { serviceCidr: "10.33.0.0/24" }]]);
    assert.deepEqual((await compare(change, older)).mistakes, []);
    // A resource that `pulumi up --target` leaves unmade has no outputs.
    const unmade = new Map([...(await madeWith()).keys()].map((name) => [name, undefined]));
    assert.deepEqual((await compare(change, unmade)).mistakes, []);
    assert.deepEqual((await compare(change, unmade, true)).mistakes, []);
  });

  it("remembers for good what it was first", async () => {
    for (const { name, ignoreChanges } of (await compare({})).stashes)
      assert.deepEqual(ignoreChanges, ["input"], name);
  });
});

describe("what a machine has", () => {
  const third = "workerPools[0].machines[2]";
  const twoSteps = "take worker3 out with one update, then add worker9 with the next";

  it("does not pass to another one in the update in which that leaves", async () => {
    const state = await madeWith({ [third]: worker3 });
    const worker9 = { ...worker3, name: "worker9" };
    const leaves = "belongs to worker3, which leaves in this update";
    assert.deepEqual((await compare({ [third]: worker9 }, state)).mistakes, [
      `${third}.address: ${leaves}, got 10.240.0.23; ${twoSteps}`,
      `${third}.podCidr: ${leaves}, got 10.200.23.0/24; ${twoSteps}`,
    ]);
    const elsewhere = { ...worker9, address: "10.240.0.29" };
    assert.deepEqual((await compare({ [third]: elsewhere }, state)).mistakes, [
      `${third}.podCidr: ${leaves}, got 10.200.23.0/24; ${twoSteps}`,
    ]);
    const free = { ...elsewhere, podCidr: "10.200.29.0/24" };
    assert.deepEqual((await compare({ [third]: free }, state)).mistakes, []);
  });

  it("is kept apart, if the first cannot leave alone", async () => {
    const change = { "loadBalancers[0].name": "lb9", "controllers[2].name": "cp9" };
    const leaves = (name: string) => `belongs to ${name}, which leaves in this update`;
    assert.deepEqual((await compare(change, await madeWith())).mistakes, [
      `loadBalancers[0].address: ${leaves("lb")}, got 10.240.0.10; put lb back, or give lb9 another`,
      `controllers[2].address: ${leaves("cp3")}, got 10.240.0.13; put cp3 back, or give cp9 another`,
      `controllers[2].podCidr: ${leaves("cp3")}, got 10.200.13.0/24; put cp3 back, or give cp9 another`,
    ]);
  });

  describe("on existing hosts", () => {
    const onHosts = { platform: "hosts", "hosts.privateKeyFile": "/key" };
    const at = (name: string) => ({ "hosts.machines": [{ name, host: "192.0.2.23" }] });
    const former = { ...onHosts, [third]: worker3, ...at("worker3") };

    it("is its host, too", async () => {
      const worker9 = { name: "worker9", address: "10.240.0.29", podCidr: "10.200.29.0/24" };
      const change = { ...onHosts, [third]: worker9, ...at("worker9") };
      assert.deepEqual((await compare(change, await madeWith(former))).mistakes, [
        `hosts.machines[0].host: belongs to worker3, which leaves in this update, got 192.0.2.23:22; ${twoSteps}`,
      ]);
    });

    it("is given away in one update and taken in the next", async () => {
      const change = { ...former, ...at("worker1") };
      assert.deepEqual((await compare(change, await madeWith(former))).mistakes, [
        "hosts.machines[0].host: belongs to worker3, got 192.0.2.23:22; take it from worker3 with one update, then give it to worker1 with the next",
      ]);
    });
  });
});

describe("a change that a living cluster would not survive", () => {
  it("is refused before any other resource is registered", async () => {
    const { exit } = process;
    const { error } = pulumi.log;
    const told: string[] = [];
    const codes: unknown[] = [];
    const registered: string[] = [];
    process.exit = ((code: number) => {
      codes.push(code);
      throw new Error("ended");
    }) as typeof process.exit;
    pulumi.log.error = async (message) => void told.push(message);
    try {
      const run = runProgram({
        settings: (settings) => {
          settings.clusterDomain = "example.org";
          settings.kubernetesVersion = "1.36.4";
          settings.serviceCidr = "10.33.0.0/24";
        },
        state: remembering("1.37.2"),
        outputs: ({ type, name }) => {
          registered.push(type);
          const former = { serviceCidr: "10.32.0.0/24", clusterDomain: "cluster.local" };
          return name === "record:cluster" ? { output: former } : undefined;
        },
      });
      await assert.rejects(run, /ended/);
    } finally {
      process.exit = exit;
      pulumi.log.error = error;
    }
    assert.deepEqual(
      told.map((line) => line.slice(0, line.indexOf(","))),
      [
        `serviceCidr: ${living}`,
        `clusterDomain: ${living}`,
        "kubernetesVersion: older than 1.37.2",
      ],
    );
    assert.deepEqual(codes, [32]);
    assert.deepEqual(
      new Set(registered),
      new Set(["kthw:index:ClusterRecord", "pulumi:index:Stash"]),
    );
  });

  it("is remembered of each machine until everything of the machine has gone", async () => {
    const { graph } = await runProgram();
    for (const command of graph.commands()) {
      const machine = command.name.slice(0, command.name.indexOf(":"));
      const names = [...graph.awaited(command)].map(({ name }) => name);
      assert.ok(names.includes(`${machine}:address`), command.name);
      assert.ok(
        names.some((name) => name.endsWith(":machine")),
        command.name,
      );
    }
  });
});
