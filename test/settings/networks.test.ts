import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { networks } from "../../networks/networks.ts";
import {
  changed,
  itRefuses,
  mistakes,
  read,
  root,
  settings,
  withWeave,
} from "../support/settings.ts";

describe("a network", () => {
  const names = Object.keys(networks);
  const folders = ["components", "node", "operations", "services", "settings", "stacks"];
  const files = folders.flatMap((folder) =>
    readdirSync(join(fileURLToPath(root), folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `${folder}/${file}`),
  );

  it("is a folder", () => {
    const entries = readdirSync(new URL("networks", root), { withFileTypes: true });
    const found = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    assert.deepEqual(names.toSorted(), found.sort());
  });
  it("is named by nothing outside of its folder, which asks it instead", () => {
    const named = new RegExp(`"(${names.join("|")})"|networks/(${names.join("|")})/`);
    assert.ok(files.includes("services/roles.ts"));
    // A plugin of CNI is called like the network bridge.
    const plugin = /^ *"bridge",\n/m;
    for (const file of [...files, "index.ts"])
      assert.doesNotMatch(
        file === "components/versions.ts" ? read(file).replace(plugin, "") : read(file),
        named,
        file,
      );
  });

  describe("of the settings", () =>
    itRefuses([
      [
        { network: "calico" },
        `network: not a pod network, got calico; use one of ${names.join(", ")}`,
      ],
    ]));

  it("weave leaves the machines without ranges of their own", () => {
    const all = settings(changed(withWeave));
    assert.equal(all.network, "weave");
    assert.equal(all.controllers[0]!.podCidr, undefined);
  });
  it("bridge does not look at the settings of weave", () =>
    assert.deepEqual(mistakes(changed({ weave: { fastDatapath: false } })), []));

  describe("weave", () =>
    itRefuses([
      [
        { ...withWeave, "kubeProxy.mode": "nftables" },
        "kubeProxy.mode: does not work with network weave, got nftables; use iptables or ipvs, or network bridge",
      ],
      [
        { ...withWeave, "controllers[0].podCidr": "10.200.11.0/24" },
        "controllers[0].podCidr: not used by network weave, got 10.200.11.0/24; leave it out: the network hands out the addresses in podCidr itself",
      ],
      [
        { ...withWeave, podCidr: "10.200.0.0/23" },
        "podCidr: too small for the pods of 5 machines, got 10.200.0.0/23; choose at least a /22, or a smaller kubelet.maxPods",
      ],
      [
        { ...withWeave, "weave.mtu": "jumbo" },
        "weave.mtu: not an MTU, got jumbo; use a whole number from 576 to 65535",
      ],
      [
        { ...withWeave, "weave.password": 7 },
        "weave.password: not a password, got [secret]; write a text, encrypted by pulumi config set --secret",
      ],
      [
        { ...withWeave, "weave.imageDigests.weaveNpc": "2.9.0" },
        "weave.imageDigests.weaveNpc: not the digest of an image, got 2.9.0; write sha256: and 64 hex digits",
      ],
    ]));
  it("weave has no password in plain text", () =>
    assert.deepEqual(
      mistakes(changed({ ...withWeave, "weave.password": "once" }), { isSecret: () => false }),
      [
        "weave.password: in plain text in the settings, got [secret]; encrypt it by pulumi config set --secret --path 'kthw:weave.password'",
      ],
    ));
  it("weave takes an encrypted password", () =>
    assert.deepEqual(mistakes(changed({ ...withWeave, "weave.password": "once" })), []));

  describe("bridge", () =>
    itRefuses([
      [
        { network: "bridge", "controllers[0].podCidr": undefined },
        "controllers[0].podCidr: not an IPv4 network, got nothing; write it like 10.200.21.0/24",
      ],
      [
        { network: "bridge", "controllers[0].podCidr": "10.200.11.0" },
        "controllers[0].podCidr: not an IPv4 network, got 10.200.11.0; write it like 10.200.21.0/24",
      ],
    ]));
});
