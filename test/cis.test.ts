import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";
import { bridgeNetwork } from "../networks/bridge/service.ts";
import { controls } from "../operations/cis/controls.ts";
import { type FoundNode, readFound } from "../operations/cis/found.ts";
import { type AskedNode, figuresOf, linesOf, resultsOf } from "../operations/cis/results.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import { etcd } from "../services/etcd.ts";
import { controlPlaneServices, nodeServices } from "../services/roles.ts";
import type { Service } from "../services/service.ts";
import { cluster, controllers, facts, worker } from "./support/facts.ts";

/** A controller as its services are rendered, with the defaults of the kubelet. */
function rendered(of: ClusterFacts, kubelet: Record<string, unknown> = {}): AskedNode {
  const node = worker({ ...controllers[0]!, podCidr: "10.200.11.0/24", kubelet });
  const services: Service[] = [
    etcd(of, controllers[0]!),
    ...Object.values(controlPlaneServices(of, controllers[0]!)),
    ...Object.values(nodeServices(of, node)),
    bridgeNetwork(of, node),
  ];
  const files = services.flatMap((service) => service.files);
  const text = (path: string) => files.find((file) => file.path === path)!.text;
  const { metricsBindAddress } = parse(text("/var/lib/kube-proxy/config.conf"));
  const found: FoundNode = {
    files: new Map([
      ...files.map(
        ({ path, mode = "0644", owner = "root:root" }) =>
          [path, { mode: Number.parseInt(mode, 8), owner }] as const,
      ),
      ...services
        .flatMap(({ directories = [] }) => directories)
        .map(({ path, mode, owner }) => [path, { mode: Number.parseInt(mode, 8), owner }] as const),
      ...services
        .flatMap(({ credentials = [] }) => credentials)
        .flatMap(({ path, origin, mode = "0600", owner = "root:root" }) => {
          const all =
            origin.kind === "certificate"
              ? [
                  [`${path}.crt`, "0644", "root:root"],
                  [`${path}.key`, "0600", owner],
                ]
              : [[path, path.endsWith(".crt") ? "0644" : mode, owner]];
          return all.map(
            ([path, mode, owner]) =>
              [path!, { mode: Number.parseInt(mode!, 8), owner: owner! }] as const,
          );
        }),
    ]),
    flags: new Map(
      services.map(({ name, files }) => [
        name,
        new Map(
          [...files[0]!.text.matchAll(/--([^\s=]+)=([^\s"]*)/g)].map(([, flag, value]) => [
            flag!,
            value!,
          ]),
        ),
      ]),
    ),
    sums: new Map([
      ["/etc/kubernetes/pki/ca.crt", "1"],
      ["/etc/kubernetes/pki/etcd/ca.crt", "2"],
    ]),
    providers: ["aescbc", "identity"],
    auditPolicy: text("/etc/kubernetes/audit-policy.yaml"),
    kubeProxy: JSON.stringify({ metricsBindAddress }),
    kubelet: {
      makeIPTablesUtilChains: true,
      streamingConnectionIdleTimeout: "4h0m0s",
      ...parse(text("/var/lib/kubelet/config.yaml")),
    },
  };
  return { name: "cp1", isController: true, found };
}

const failures = (...nodes: AskedNode[]) =>
  linesOf(resultsOf(controls, nodes).filter(({ verdict }) => verdict === "FAIL")).map((line) =>
    line.trim(),
  );

describe("the controls of the CIS benchmark", () => {
  const worker1 = (change: (found: FoundNode) => Partial<FoundNode>): AskedNode => {
    const { found } = rendered(facts);
    return { name: "worker1", isController: false, found: { ...found, ...change(found) } };
  };

  it("are all there, each once and in their order", () => {
    const ids = controls.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)]);
    const sizes = { 1.1: 21, 1.2: 30, 1.3: 7, 1.4: 2, 2: 7, 3.1: 3, 3.2: 2, 4.1: 10, 4.2: 14 };
    const rest = { 4.3: 1, 5.1: 13, 5.2: 12, 5.3: 2, 5.4: 2, 5.5: 1, 5.6: 4 };
    assert.deepEqual(
      ids,
      Object.entries({ ...sizes, ...rest })
        .sort(([one], [other]) => Number(one) - Number(other))
        .flatMap(([group, size]) => Array.from({ length: size }, (_, at) => `${group}.${at + 1}`)),
    );
  });

  it("are met by the services as they are rendered", () => {
    assert.deepEqual(failures(rendered(facts)), []);
  });

  it("name the node and what is wrong", () => {
    const loose = worker1(({ files }) => ({
      files: new Map([...files, ["/var/lib/kubelet/config.yaml", { mode: 0o644, owner: "me:me" }]]),
    }));
    assert.deepEqual(failures(rendered(facts), loose), [
      "FAIL       4.1.9   mode of the kubelet's configuration",
      "worker1: /var/lib/kubelet/config.yaml: mode 0644, at most 0600 is right",
      "FAIL       4.1.10  owner of the kubelet's configuration",
      "worker1: /var/lib/kubelet/config.yaml: belongs to me:me, root:root is right",
    ]);
    const stopped = worker1(({ files, flags }) => ({
      files: new Map([...files].filter(([path]) => path !== "/etc/kubernetes/kubelet.conf")),
      flags: new Map([...flags].filter(([service]) => service !== "kubelet")),
    }));
    assert.deepEqual(
      failures(stopped).filter((line) => line.startsWith("worker1")),
      [
        "worker1: /etc/kubernetes/kubelet.conf is missing",
        "worker1: /etc/kubernetes/kubelet.conf is missing",
        "worker1: kubelet does not run",
      ],
    );
  });

  it("leave the operator's settings their way, and say so", () => {
    const apiServerFlags = {
      "disable-admission-plugins": "DenyServiceExternalIPs",
      "tls-cipher-suites": "TLS_RSA_WITH_AES_128_CBC_SHA",
    };
    assert.deepEqual(failures(rendered(cluster({ apiServerFlags }), { podPidsLimit: -1 })), [
      "FAIL       1.2.3   external addresses of Services are denied",
      "cp1: --enable-admission-plugins is NodeRestriction",
      "FAIL       1.2.29  strong ciphers of the API server",
      "cp1: --tls-cipher-suites is TLS_RSA_WITH_AES_128_CBC_SHA",
      "FAIL       4.2.13  a Pod's process ids are limited",
      "cp1: the kubelet's podPidsLimit is -1",
    ]);
  });

  it("see an audit policy that leaves out what matters", () => {
    const none = 'rules: [{level: None, userGroups: ["system:nodes"]}, {level: Metadata}]';
    const reading = 'rules: [{level: None, verbs: ["get"]}, {level: Metadata}]';
    const faults = (auditPolicy: string) => {
      const node = rendered(facts);
      return failures({ ...node, found: { ...node.found, auditPolicy } }).slice(1);
    };
    assert.equal(faults(none).length, 9);
    assert.deepEqual(
      faults(reading).filter((line) => / for (pods|deployments|secrets)$/.test(line)),
      ["cp1: the audit policy leaves out some requests for secrets"],
    );
    assert.equal(faults("").length, 9);
  });

  it("are read from what a machine tells", () => {
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    const found = readFound(
      [
        "file\t/etc/kubernetes/admin.conf\t600\troot:root",
        "flags\tetcd\t/opt/kthw/etcd/3.6.14/etcd\t--data-dir=/var/lib/etcd\t--client-cert-auth\t",
        "sum\t/etc/kubernetes/pki/ca.crt\t5f0b",
        "provider\tsecretbox",
        `audit\t${base64("rules: []\n")}`,
        `proxy\t${base64('{"mode":"iptables"}')}`,
        "",
      ].join("\n"),
    );
    assert.deepEqual(found, {
      files: new Map([["/etc/kubernetes/admin.conf", { mode: 0o600, owner: "root:root" }]]),
      flags: new Map([
        [
          "etcd",
          new Map([
            ["data-dir", "/var/lib/etcd"],
            ["client-cert-auth", "true"],
          ]),
        ],
      ]),
      sums: new Map([["/etc/kubernetes/pki/ca.crt", "5f0b"]]),
      providers: ["secretbox"],
      auditPolicy: "rules: []\n",
      kubeProxy: '{"mode":"iptables"}',
    });
  });

  it("are listed in docs/cis.md with the same figures", () => {
    const file = new URL("../docs/cis.md", import.meta.url);
    const results = resultsOf(controls, []);
    const rows = results.map(({ control, verdict, reasons }) => {
      const [on, how] = "on" in control ? [control.on, control.how] : ["", reasons[0]!];
      return `| ${control.id} | ${control.title} | ${verdict} | ${on} | ${how} |\n`;
    });
    const table = `| control | | verdict | on | how, or why not |\n|---|---|---|---|---|\n${rows.join("")}`;
    const figures = `    ${figuresOf(results)}\n`;
    if (process.env.UPDATE_GOLDEN !== undefined) {
      const text = readFileSync(file, "utf8");
      writeFileSync(
        file,
        text
          .replace(/^( {4}\d+ ok, .*|FIGURES)\n/m, figures)
          .replace(/^(\| control \|[\s\S]*|TABLE\n)$/m, table),
      );
    }
    const text = readFileSync(file, "utf8");
    assert.ok(text.includes(figures), figures);
    assert.ok(text.endsWith(table), "run UPDATE_GOLDEN=1 npx mocha test/cis.test.ts");
  });
});

describe("files of services", () => {
  it("are for root alone, but for those that others must read or run", () => {
    const { found } = rendered(facts);
    const open = [...found.files].filter(([, { mode }]) => (mode & 0o077) !== 0);
    const expected = [
      "/etc/cni/net.d",
      "/etc/crictl.yaml",
      "/etc/etcd",
      "/etc/modules-load.d/kubernetes.conf",
      "/etc/sysctl.d/90-kubernetes.conf",
      "/opt/cni/bin",
      "/usr/local/libexec/kthw/encryption-keys",
      "/usr/local/libexec/kthw/etcd-member",
      "/usr/local/libexec/kthw/etcd-upkeep",
      "/usr/local/libexec/kthw/pod-routes",
    ];
    assert.deepEqual(
      open
        .map(([path]) => path)
        .filter((path) => !/\.crt$/.test(path))
        .sort(),
      expected,
    );
  });
});
