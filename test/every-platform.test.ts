import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { networks } from "../networks/networks.ts";
import { describeService } from "../node/description.ts";
import { servicesByMachine } from "../services/roles.ts";
import { placed } from "../services/service.ts";
import { clusterFacts, nodeGroups } from "../settings/facts.ts";
import { platforms } from "../stacks/platforms.ts";
import { type Change, changed, settings, withWeave } from "./support/settings.ts";

type PlatformName = keyof typeof platforms;

const privateKeyFile = "/keys/operator";
const key = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
const operator = {
  env: { AWS_ACCESS_KEY_ID: "AKIA" },
  read: (file: string) => (file === privateKeyFile ? `${key}` : "ssh-ed25519 AAAA"),
};
/** What the machines of this computer, which are containers, have and no other machines by themselves. */
const likeHere = platforms.local.traits(settings(changed({})) as never);

/** What each platform has to be told. */
const own: Readonly<Record<PlatformName, Change>> = {
  local: {},
  hosts: { "hosts.privateKeyFile": privateKeyFile },
  libvirt: {
    "libvirt.privateKeyFile": privateKeyFile,
    "libvirt.image.source": "/srv/debian.qcow2",
    "libvirt.image.sha256": "0".repeat(64),
  },
  aws: {
    "aws.privateKeyFile": privateKeyFile,
    "aws.sshFrom": ["203.0.113.7/32"],
    "aws.endpoint": { host: "127.0.0.1" },
  },
};

/** What each network has to be told. */
const chosen: Readonly<Record<keyof typeof networks, Change>> = { bridge: {}, weave: withWeave };

/** The description of every service of every machine, by machine and service. */
function described(platform: PlatformName, network: Change, traits: Change = {}) {
  const raw = changed({ platform, ...own[platform], ...traits, ...network });
  const all = settings(raw, { ...operator, stack: platform });
  const from = platforms[all.platform];
  const facts = clusterFacts(all, from.endpoint(all as never));
  const nodes = nodeGroups(all, from.traits(all as never));
  const services = servicesByMachine(
    facts,
    [...facts.loadBalancers, ...nodes.flatMap((group) => group.nodes)],
    (node) => [networks[all.network].service(facts, node, all)],
  );
  return new Map(
    [...services].flatMap(([machine, list]) =>
      list.map((service) => [`${machine}:${service.name}`, describeService(placed(service))]),
    ),
  );
}

describe("the settings below the platform", () => {
  for (const [name, network] of Object.entries(chosen)) {
    const hosts = described("hosts", network);
    it(`give the same units and files on every platform of whole machines, with ${name}`, () => {
      assert.ok(hosts.size > 30, `${hosts.size}`);
      for (const platform of ["libvirt", "aws"] as const)
        assert.deepEqual(described(platform, network), hosts, platform);
    });
    it(`give the same on this computer as on containers elsewhere, with ${name}`, () => {
      const traits = Object.fromEntries(
        Object.entries(likeHere).map(([trait, value]) => [`hosts.traits.${trait}`, value]),
      );
      assert.deepEqual(described("local", network), described("hosts", network, traits));
    });
  }
});
