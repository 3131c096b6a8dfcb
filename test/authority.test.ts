import { strict as assert } from "node:assert";
import { createPrivateKey } from "node:crypto";
import { readAuthority } from "../settings/authority.ts";
import type { ReadFile } from "../settings/files.ts";
import { warnings } from "../settings/warnings.ts";
import { authority, type Made } from "./support/authority.ts";
import { describedBy, type Graph, runProgram, stdinOf } from "./support/program.ts";
import { changed, settings } from "./support/settings.ts";

const hour = 3_600_000;

const root = authority("Company root");
const intermediate = authority("Company Kubernetes", { by: root, pathLength: 0 });
const chain = intermediate.certificate + root.certificate;

/** What is wrong with files of these texts. */
function mistakes(certificate: string, key = intermediate.key): string[] {
  const files: Record<string, string> = { "/ca.pem": certificate, "/key.pem": key };
  const written = { certificate: "/ca.pem", privateKey: "/key.pem" };
  const result = readAuthority(written, (path) => files[path]!);
  return "mistakes" in result ? result.mistakes : [];
}

const nowhere: ReadFile = () => {
  throw Object.assign(new Error(), { code: "ENOENT" });
};

describe("an external authority", () => {
  it("is read with what stands above it, from texts or files", () => {
    const expected = {
      authority: {
        certificatePem: intermediate.certificate,
        issuerChainPem: [root.certificate],
        privateKeyPem: intermediate.key,
      },
    };
    const text = `Certificate of the company\n${chain}\n`;
    const written = { certificate: text, privateKey: intermediate.key };
    assert.deepEqual(readAuthority(written, nowhere), expected);
    const files: Record<string, string> = { "./ca.pem": text, "/key.pem": intermediate.key };
    const named = { certificate: "./ca.pem", privateKey: "/key.pem" };
    assert.deepEqual(
      readAuthority(named, (path) => files[path]!),
      expected,
    );
  });

  it("may have a key in any of its forms, and no root above it", () => {
    const sec1 = createPrivateKey(intermediate.key).export({ type: "sec1", format: "pem" });
    assert.deepEqual(mistakes(intermediate.certificate, sec1.toString()), []);
    assert.deepEqual(mistakes(root.certificate, root.key), []);
  });

  const where = "certificates.authority.certificate";
  const valid = "give one that is valid";
  const rows: readonly [title: string, certificate: string, ...mistakes: string[]][] = [
    [
      "text that is no PEM",
      "hello\n",
      `${where}: no certificates in PEM, got /ca.pem; write the authority's own first, then those above it up to the root`,
    ],
    [
      "PEM that is no certificate",
      "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
      `${where}: no certificates in PEM, got /ca.pem; write the authority's own first, then those above it up to the root`,
    ],
  ];
  for (const [title, certificate, ...expected] of rows)
    it(`is refused with a file of ${title}`, () =>
      assert.deepEqual(mistakes(certificate), expected));

  const refused: Readonly<
    Record<string, readonly [made: () => Made, wrong: string, todo: string]>
  > = {
    "no authority": [
      () => authority("web", { authority: false, keyUsage: "digitalSignature" }),
      "not of an authority, got CN=web",
      "give the certificate of a CA, which may sign others",
    ],
    "an authority that may not sign certificates": [
      () => authority("web", { keyUsage: "digitalSignature,cRLSign" }),
      "not of an authority, got CN=web",
      "give the certificate of a CA, which may sign others",
    ],
    "one that has expired": [
      () =>
        authority("old", {
          from: new Date("2025-01-02T03:04:05Z"),
          until: new Date("2026-01-02T03:04:05Z"),
        }),
      "expired on 2026-01-02, got CN=old",
      valid,
    ],
    "one that is not valid yet": [
      () =>
        authority("new", {
          from: new Date("2126-01-02T03:04:05Z"),
          until: new Date("2127-01-02T03:04:05Z"),
        }),
      "not valid before 2126-01-02, got CN=new",
      valid,
    ],
    "one that may not sign for clients": [
      () => authority("servers", { keyUsage: "keyCertSign", extendedKeyUsage: "serverAuth" }),
      "not for TLS servers and clients, got CN=servers",
      "give an authority that may sign for both",
    ],
  };
  for (const [title, [make, wrong, todo]] of Object.entries(refused))
    it(`is refused as ${title}`, () => {
      const { certificate, key } = make();
      assert.deepEqual(mistakes(certificate, key), [`${where}: ${wrong}; ${todo}`]);
    });

  it("is refused below one whose path length allows only leaves", () => {
    const narrow = authority("Narrow root", { pathLength: 0 });
    const below = authority("Below", { by: narrow });
    assert.deepEqual(mistakes(below.certificate + narrow.certificate, below.key), [
      `${where}: certificate 2 of the file allows 0 authorities below it, and there are 1, got CN=Narrow root; give an authority whose path length allows it to sign leaves`,
    ]);
  });

  it("is refused beside one that did not sign it", () => {
    const stranger = authority("Company root");
    assert.deepEqual(mistakes(intermediate.certificate + stranger.certificate), [
      `${where}: certificate 2 of the file did not sign the one before it, CN=Company Kubernetes, got CN=Company root; write the authority's own first, then its issuer, and so on up to the root`,
    ]);
  });

  const ofKey = "certificates.authority.privateKey";
  it("is refused with another key, or none", () => {
    assert.deepEqual(mistakes(chain, root.key), [
      `${ofKey}: not the key of the certificate, got /key.pem; give the one of CN=Company Kubernetes`,
    ]);
    assert.deepEqual(mistakes(chain, chain), [
      `${ofKey}: no private key in PEM, got /key.pem; write it in PEM, without a passphrase`,
    ]);
    const locked = createPrivateKey(intermediate.key).export({
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "x",
    });
    assert.deepEqual(mistakes(chain, locked.toString()), [
      `${ofKey}: locked by a passphrase, got /key.pem; write it in PEM, without a passphrase`,
    ]);
  });

  it("is refused without its files", () => {
    const written = { certificate: "/ca.pem", privateKey: "/key.pem" };
    assert.deepEqual(readAuthority(written, nowhere), {
      mistakes: [
        `${where}: not readable (no such file), got /ca.pem; name a file of PEM that this computer can read`,
        `${ofKey}: not readable (no such file), got /key.pem; name a file of PEM that this computer can read`,
      ],
    });
  });

  it("is told of when it ends before what it signs", () => {
    const told = (until: Date) => {
      const { certificate, key } = authority("short", { until });
      const external = { certificatePem: certificate, issuerChainPem: [], privateKeyPem: key };
      const all = settings(
        changed({ "certificates.validityHours": 24, "certificates.earlyRenewalHours": 8 }),
      );
      return warnings(
        { ...all, certificates: { ...all.certificates, authorities: [external] } },
        { isSecret: () => true },
      );
    };
    assert.deepEqual(told(new Date(Date.now() + 25 * hour)), []);
    const soon = new Date(Date.now() + 23 * hour);
    assert.deepEqual(told(soon), [
      `certificates.authority: ends on ${soon.toISOString().slice(0, 10)}, before what it signs today; renew it by then, with the same key and name`,
    ]);
  });

  it("does not show its key in a mistake", () => {
    const result = readAuthority({ certificate: chain, privateKey: root.key }, nowhere);
    assert.ok("mistakes" in result);
    assert.match(result.mistakes.join("\n"), /not the key of the certificate, got \[secret\];/);
  });
});

describe("a cluster of an external authority", function () {
  this.timeout(60_000);
  const bring = (certificate: string, privateKey: string) => ({
    settings: (written: Record<string, unknown>) => {
      written.certificates = { authority: { certificate, privateKey } };
    },
  });
  let graph: Graph;

  before(async () => {
    process.env.PULUMI_CONFIG_SECRET_KEYS = '["kthw:certificates"]';
    ({ graph } = await runProgram(bring(chain, intermediate.key)));
  });
  after(() => {
    delete process.env.PULUMI_CONFIG_SECRET_KEYS;
  });

  it("has every certificate signed by it that the cluster's own would sign", () => {
    assert.deepEqual(
      graph.ofType("tls:index/selfSignedCert:SelfSignedCert").map(({ name }) => name),
      ["etcd-ca", "kubernetes-front-proxy-ca"],
    );
    const signed = graph.ofType("tls:index/locallySignedCert:LocallySignedCert");
    const byIt = signed.filter(({ inputs }) => inputs.caCertPem === intermediate.certificate);
    assert.deepEqual(
      byIt
        .filter(({ inputs }) => inputs.caPrivateKeyPem !== undefined)
        .map(({ inputs }) => inputs.caPrivateKeyPem),
      byIt.map(() => ({ secret: intermediate.key })),
    );
    assert.deepEqual(
      [
        ...new Set(
          signed.filter((one) => !byIt.includes(one)).map(({ name }) => name.replace(/^cp\d:/, "")),
        ),
      ].sort(),
      ["apiserver-etcd-client", "etcd-peer", "etcd-server", "front-proxy-client"],
    );
  });

  const textOf = (command: string, path: string) =>
    describedBy(graph.command(command))?.files.find((file) => file.path === path)?.text;

  it("trusts it alone for clients, and all above it for servers", () => {
    for (const [command, folder] of [
      ["cp1:control-plane-pki", "/etc/kubernetes/pki"],
      ["worker1:kubelet-pki", "/var/lib/kubelet/pki"],
    ] as const) {
      assert.equal(textOf(command, `${folder}/ca.crt`), intermediate.certificate);
      assert.equal(textOf(command, `${folder}/ca-bundle.crt`), chain);
    }
    const apiserver = stdinOf(graph.command("cp1:kube-apiserver"));
    assert.match(apiserver, /--client-ca-file=\/etc\/kubernetes\/pki\/ca\.crt /);
    assert.match(
      apiserver,
      /--kubelet-certificate-authority=\/etc\/kubernetes\/pki\/ca-bundle\.crt /,
    );
    const manager = stdinOf(graph.command("cp1:kube-controller-manager"));
    assert.match(manager, /--client-ca-file=\/etc\/kubernetes\/pki\/ca\.crt /);
    assert.match(manager, /--cluster-signing-cert-file=\/etc\/kubernetes\/pki\/ca\.crt /);
    assert.match(manager, /--root-ca-file=\/etc\/kubernetes\/pki\/ca-bundle\.crt /);
    assert.match(stdinOf(graph.command("worker1:kubelet")), /clientCAFile: \S+\/ca\.crt\n/);
    for (const command of graph.commands())
      for (const [, file] of stdinOf(command).matchAll(/certificate-authority: (\S+)/g))
        assert.match(file!, /\/ca-bundle\.crt$/, command.name);
  });

  it("has servers that send it along, without the root", () => {
    for (const [command, path, name] of [
      ["cp1:control-plane-pki", "/etc/kubernetes/pki/apiserver.crt", "cp1:apiserver"],
      ["worker1:kubelet-pki", "/var/lib/kubelet/pki/kubelet.crt", "worker1:kubelet-server"],
    ] as const)
      assert.equal(textOf(command, path), `certificate ${name}\n${intermediate.certificate}`);
  });

  it("keeps its key from plain text", () => {
    const [secret] = intermediate.key.split("\n").slice(1);
    for (const { urn, inputs } of graph.resources) {
      const plain = JSON.stringify(inputs, (_, value) =>
        value !== null && typeof value === "object" && "secret" in value ? "" : value,
      );
      assert.ok(!plain.includes(secret!), urn);
    }
  });

  it("is rotated to another below the same root", async () => {
    const next = authority("Company Kubernetes 2", { by: root, pathLength: 0 });
    const group = ({ certificate, key }: Made) => ({
      certificate: certificate + root.certificate,
      privateKey: key,
    });
    const both = { authority: group(intermediate), nextAuthority: group(next) };
    const pki = "/etc/kubernetes/pki";
    for (const [step, written, signer, trusted] of [
      ["trust 2", both, intermediate, [intermediate, next]],
      ["sign 2", both, next, [intermediate, next]],
      ["drop 1", { authority: group(next) }, next, [next]],
    ] as const) {
      const { graph } = await runProgram({
        settings: (settings) => {
          settings.certificates = { ...written, rotation: { kubernetesCa: step } };
        },
      });
      const textOf = (file: string) =>
        describedBy(graph.command("cp1:control-plane-pki"))?.files.find(({ path }) => path === file)
          ?.text;
      const own = trusted.map(({ certificate }) => certificate).join("");
      assert.equal(textOf(`${pki}/ca.crt`), own, step);
      assert.equal(textOf(`${pki}/ca-bundle.crt`), own + root.certificate, step);
      assert.equal(textOf(`${pki}/ca-signing.crt`), signer.certificate, step);
      const served = `certificate cp1:apiserver\n${signer.certificate}`;
      assert.equal(textOf(`${pki}/apiserver.crt`), served, step);
      const names = graph.resources.map(({ name }) => name);
      assert.ok(!names.includes("kubernetes-ca-2-cross"), step);
    }
  });

  it("is remembered by its name and key", () => {
    const [stash] = graph
      .ofType("pulumi:index:Stash")
      .filter(({ name }) => name === "kubernetes-ca:identity");
    const { "certificates.authority": made } = stash!.inputs.input as Record<string, string>;
    assert.match(made!, /^CN=Company Kubernetes sha256:[0-9a-f]{64}$/);
  });
});
