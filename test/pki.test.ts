import { strict as assert } from "node:assert";
import { CertificateAuthority } from "../components/certificate-authority.ts";
import { admin, certificateKinds } from "../components/pki.ts";
import { encryptionSecret } from "../services/encryption-keys.ts";
import { describedBy, firstUpdate, type Graph, runProgram, secretMark } from "./support/program.ts";
import { record } from "./support/record.ts";

const validity = {
  validityHours: 8760,
  validityHoursOf: {},
  caValidityHours: 87600,
  earlyRenewalHours: 720,
};

const apiNames = [
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
  "localhost",
  "cp1",
  "cp2",
  "cp3",
  "lb",
];
const apiAddresses = [
  "10.32.0.1",
  "127.0.0.1",
  "10.240.0.11",
  "10.240.0.12",
  "10.240.0.13",
  "10.240.0.10",
];

interface Row {
  readonly ca: string;
  readonly commonName: string;
  readonly organization?: string;
  readonly usages: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

/** Every certificate that is not a machine's own. */
const shared: Record<string, Row> = {
  "apiserver-etcd-client": {
    ca: "etcd-ca",
    commonName: "kube-apiserver-etcd-client",
    usages: ["client_auth"],
  },
  "apiserver-kubelet-client": {
    ca: "kubernetes-ca",
    commonName: "kube-apiserver-kubelet-client",
    usages: ["client_auth"],
  },
  "front-proxy-client": {
    ca: "kubernetes-front-proxy-ca",
    commonName: "front-proxy-client",
    usages: ["client_auth"],
  },
  admin: {
    ca: "kubernetes-ca",
    commonName: "kubernetes-admin",
    organization: "system:masters",
    usages: ["client_auth"],
  },
  "controller-manager": {
    ca: "kubernetes-ca",
    commonName: "system:kube-controller-manager",
    organization: "system:kube-controller-manager",
    usages: ["client_auth"],
  },
  scheduler: {
    ca: "kubernetes-ca",
    commonName: "system:kube-scheduler",
    organization: "system:kube-scheduler",
    usages: ["client_auth"],
  },
};

/** The certificates of a machine, as a node and, on controllers, as a part of the control plane. */
const ofNode = (name: string, address: string): Record<string, Row> => ({
  [`${name}:kubelet-client`]: {
    ca: "kubernetes-ca",
    commonName: `system:node:${name}`,
    organization: "system:nodes",
    usages: ["client_auth"],
    dnsNames: [name],
    ipAddresses: [address],
  },
  [`${name}:kubelet-server`]: {
    ca: "kubernetes-ca",
    commonName: `system:node:${name}`,
    organization: "system:nodes",
    usages: ["server_auth"],
    dnsNames: [name],
    ipAddresses: [address],
  },
  [`${name}:kube-proxy-client`]: {
    ca: "kubernetes-ca",
    commonName: "system:kube-proxy",
    organization: "system:node-proxier",
    usages: ["client_auth"],
  },
});
const ofController = (name: string, address: string): Record<string, Row> => {
  const member: Row = {
    ca: "etcd-ca",
    commonName: name,
    usages: ["server_auth", "client_auth"],
    dnsNames: [name, "localhost"],
    ipAddresses: [address, "127.0.0.1"],
  };
  return {
    ...ofNode(name, address),
    [`${name}:etcd-server`]: member,
    [`${name}:etcd-peer`]: member,
    [`${name}:apiserver`]: {
      ca: "kubernetes-ca",
      commonName: "kube-apiserver",
      usages: ["server_auth"],
      dnsNames: apiNames,
      ipAddresses: apiAddresses,
    },
  };
};
const expected: Record<string, Row> = {
  ...shared,
  ...ofController("cp1", "10.240.0.11"),
  ...ofController("cp2", "10.240.0.12"),
  ...ofController("cp3", "10.240.0.13"),
  ...ofNode("worker1", "10.240.0.21"),
  ...ofNode("worker2", "10.240.0.22"),
};

/** Files of a node and of a controller, with what they hold; those of mode 0600 hold secrets. */
const nodeFiles = (name: string): Record<string, string> => ({
  "/var/lib/kubelet/pki/ca.crt": "certificate kubernetes-ca",
  "/var/lib/kubelet/pki/kubelet.crt": `certificate ${name}:kubelet-server`,
  "/var/lib/kubelet/pki/kubelet.key": `0600 root ${name}:kubelet-server-key`,
  "/var/lib/kubelet/pki/kubelet-client.crt": `certificate ${name}:kubelet-client`,
  "/var/lib/kubelet/pki/kubelet-client.key": `0600 root ${name}:kubelet-client-key`,
  "/etc/kubernetes/pki/kube-proxy.crt": `certificate ${name}:kube-proxy-client`,
  "/etc/kubernetes/pki/kube-proxy.key": `0600 root ${name}:kube-proxy-client-key`,
});
const controllerFiles = (name: string): Record<string, string> => ({
  ...nodeFiles(name),
  "/etc/kubernetes/pki/etcd/ca.crt": "certificate etcd-ca",
  "/etc/kubernetes/pki/etcd/server.crt": `certificate ${name}:etcd-server`,
  "/etc/kubernetes/pki/etcd/server.key": `0600 etcd ${name}:etcd-server-key`,
  "/etc/kubernetes/pki/etcd/peer.crt": `certificate ${name}:etcd-peer`,
  "/etc/kubernetes/pki/etcd/peer.key": `0600 etcd ${name}:etcd-peer-key`,
  "/etc/kubernetes/pki/ca.crt": "certificate kubernetes-ca",
  "/etc/kubernetes/pki/ca.key": "0600 root kubernetes-ca-key",
  "/etc/kubernetes/pki/apiserver.crt": `certificate ${name}:apiserver`,
  "/etc/kubernetes/pki/apiserver.key": `0600 root ${name}:apiserver-key`,
  "/etc/kubernetes/pki/apiserver-kubelet-client.crt": "certificate apiserver-kubelet-client",
  "/etc/kubernetes/pki/apiserver-kubelet-client.key": "0600 root apiserver-kubelet-client-key",
  "/etc/kubernetes/pki/apiserver-etcd-client.crt": "certificate apiserver-etcd-client",
  "/etc/kubernetes/pki/apiserver-etcd-client.key": "0600 root apiserver-etcd-client-key",
  "/etc/kubernetes/pki/front-proxy-ca.crt": "certificate kubernetes-front-proxy-ca",
  "/etc/kubernetes/pki/front-proxy-client.crt": "certificate front-proxy-client",
  "/etc/kubernetes/pki/front-proxy-client.key": "0600 root front-proxy-client-key",
  "/etc/kubernetes/pki/sa.pub": "public service-accounts",
  "/etc/kubernetes/pki/sa.key": "0600 root service-accounts",
  "/etc/kubernetes/pki/controller-manager.crt": "certificate controller-manager",
  "/etc/kubernetes/pki/controller-manager.key": "0600 root controller-manager-key",
  "/etc/kubernetes/pki/scheduler.crt": "certificate scheduler",
  "/etc/kubernetes/pki/scheduler.key": "0600 root scheduler-key",
  "/etc/kubernetes/pki/admin.crt": "certificate admin",
  "/etc/kubernetes/pki/admin.key": "0600 root admin-key",
  "/etc/kubernetes/encryption.yaml": "0600 root encryption-key1",
});

describe("the certificates", () => {
  let graph: Graph;
  const named = (type: string, name: string) => {
    const found = graph.ofType(type).find((resource) => resource.name === name);
    assert.ok(found, `there is no ${name}`);
    return found.inputs;
  };
  const request = (name: string) => named("tls:index/certRequest:CertRequest", `${name}-request`);
  const signed = (name: string) => named("tls:index/locallySignedCert:LocallySignedCert", name);
  before(async () => {
    ({ graph } = await firstUpdate());
  });

  it("are these", () => {
    assert.deepEqual(
      graph
        .ofType("tls:index/locallySignedCert:LocallySignedCert")
        .map(({ name }) => name)
        .sort(),
      Object.keys(expected).sort(),
    );
  });

  for (const [name, row] of Object.entries(expected))
    it(`${name}: ${row.commonName}${row.organization ? ` of ${row.organization}` : ""}`, () => {
      const { dnsNames, ipAddresses, privateKeyPem, subject } = request(name);
      const { commonName, organization } = row;
      assert.deepEqual(subject, { commonName, ...(organization && { organization }) });
      assert.deepEqual(dnsNames, row.dnsNames);
      assert.deepEqual(ipAddresses, row.ipAddresses);
      assert.deepEqual(privateKeyPem, { secret: `${secretMark} ${name}-key\n` });

      const certificate = signed(name);
      assert.equal(certificate.certRequestPem, `${name}-request\n`);
      assert.deepEqual(certificate.caPrivateKeyPem, { secret: `${secretMark} ${row.ca}-key\n` });
      assert.match(String(certificate.caCertPem), new RegExp(`^certificate ${row.ca}\n`));
      assert.deepEqual(certificate.allowedUses, [
        "digital_signature",
        "key_encipherment",
        ...row.usages,
      ]);
      assert.equal(certificate.validityPeriodHours, validity.validityHours);
      assert.equal(certificate.earlyRenewalHours, validity.earlyRenewalHours);
      assert.equal(certificate.isCaCertificate, undefined);
    });

  it("are signed by three authorities that sign themselves", () => {
    const authorities = graph.ofType("tls:index/selfSignedCert:SelfSignedCert");
    assert.deepEqual(
      authorities.map(({ name }) => name),
      ["kubernetes-ca", "etcd-ca", "kubernetes-front-proxy-ca"],
    );
    for (const { name, inputs } of authorities)
      assert.deepEqual(inputs, {
        privateKeyPem: { secret: `${secretMark} ${name}-key\n` },
        subject: { commonName: name },
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: validity.caValidityHours,
        allowedUses: ["digital_signature", "key_encipherment", "cert_signing", "crl_signing"],
      });
  });

  it("last for another time where their kind does, and are renewed in the last third of it", async () => {
    const { graph: other } = await runProgram({
      settings: (settings) => {
        settings.certificates = {
          validityHours: 200,
          earlyRenewalHours: 20,
          validityHoursOf: { admin: 24, "etcd-peer": 400 },
        };
      },
    });
    const hours = other
      .ofType("tls:index/locallySignedCert:LocallySignedCert")
      .map(({ name, inputs }) => [name, inputs.validityPeriodHours, inputs.earlyRenewalHours]);
    for (const [name, ...found] of hours)
      assert.deepEqual(
        found,
        name === "admin" ? [24, 8] : /:etcd-peer$/.test(`${name}`) ? [400, 20] : [200, 20],
        `${name}`,
      );
  });

  it("have a known kind each", () => {
    const issued = graph
      .ofType("tls:index/locallySignedCert:LocallySignedCert")
      .map(({ name }) => name.replace(/^.*:/, ""));
    assert.deepEqual([...new Set(issued)].sort(), certificateKinds);
  });

  it("are signed by the authority they are meant for, or not at all", async () => {
    const program = async () => {
      const ca = new CertificateAuthority("etcd-ca", validity);
      ca.issue(admin, { parent: ca });
    };
    await assert.rejects(record(program), /admin is to be signed by kubernetes-ca, not by etcd-ca/);
  });

  for (const [machine, files] of Object.entries({
    lb: {},
    cp1: controllerFiles("cp1"),
    cp2: controllerFiles("cp2"),
    cp3: controllerFiles("cp3"),
    worker1: nodeFiles("worker1"),
    worker2: nodeFiles("worker2"),
  }))
    it(`reach ${machine} as far as it needs them`, () => {
      const found = graph
        .commands(machine)
        .filter(({ name }) => name.endsWith("-pki"))
        .flatMap((command) => describedBy(command)!.files)
        .filter(({ path }) => path !== "/etc/etcd/founders")
        .map(({ path, mode, owner, text }) => {
          const isEncryption = text.includes(encryptionSecret(`${secretMark} encryption-key1`));
          const secret = isEncryption
            ? "encryption-key1"
            : new RegExp(`${secretMark} (.+)`).exec(text)?.[1];
          const [user] = owner.split(":");
          return [path, secret ? `${mode} ${user} ${secret}` : text.split("\n")[0]];
        });
      assert.deepEqual(Object.fromEntries(found), files);
    });
});
