import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { networks } from "../networks/networks.ts";
import type { KubeProxyMode } from "../services/cluster-facts.ts";
import { servicesByMachine } from "../services/roles.ts";
import { cluster, worker } from "./support/facts.ts";

const script = fileURLToPath(new URL("../stacks/libvirt/image.sh", import.meta.url));
const text = readFileSync(script, "utf8");

/** The words of an array in the script. */
const words = (name: string): string[] =>
  new RegExp(`^${name}=\\(([^)]*)\\)`, "m")
    .exec(text)![1]!
    .replaceAll(/#.*/g, "")
    .trim()
    .split(/\s+/);

describe("the disk image of make image", () => {
  for (const mode of ["iptables", "ipvs", "nftables"] satisfies KubeProxyMode[])
    it(`has the packages that services ask for, with kube-proxy in mode ${mode}`, () => {
      const facts = cluster({ kubeProxyMode: mode, admitsGuests: true });
      const machines = [
        { name: "lb", address: "10.240.0.10" },
        worker({ name: "cp1", role: "controller" }),
        worker(),
      ];
      const weave = { fastDatapath: true, imageDigests: {} };
      const services = servicesByMachine(facts, machines, (node) =>
        Object.values(networks).map((network) => network.service(facts, node, { weave })),
      );
      const wanted = [...services.values()].flat().flatMap(({ packages = [] }) => packages);
      assert.ok(wanted.includes("nginx") && wanted.includes("conntrack"), wanted.join(" "));
      const absent = wanted.filter((name) => !words("packages").includes(name));
      assert.deepEqual([...new Set(absent)], []);
    });
});
