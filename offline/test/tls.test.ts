import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import type { Properties } from "../plugins/protocol/values.ts";
import { provider } from "../plugins/tls/index.ts";
import { context, has, kind, temporary, wrong } from "./support.ts";

const of = (name: string) =>
  kind(provider, `tls:index/${name}:${name.charAt(0).toUpperCase()}${name.slice(1)}`);
const make = async (name: string, inputs: Properties, lines: string[] = []) => {
  assert.deepEqual(wrong(of(name), inputs), {});
  const { id, outputs } = await of(name).create(inputs, context(lines));
  return { id, ...outputs } as Record<string, string>;
};

const directory = temporary();
const file = (name: string, content: string | undefined): string => {
  const path = join(directory, name);
  writeFileSync(path, content ?? "", { mode: 0o600 });
  return path;
};
const openssl = (...args: string[]): string =>
  execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const described = (pem: string | undefined): string =>
  openssl("x509", "-noout", "-text", "-in", file("described.pem", pem));

const caInputs = (privateKeyPem: string | undefined, more: Properties = {}): Properties => ({
  privateKeyPem: privateKeyPem ?? "",
  subject: { commonName: "kubernetes" },
  isCaCertificate: true,
  validityPeriodHours: 100,
  allowedUses: ["digital_signature", "key_encipherment", "cert_signing"],
  ...more,
});
const leafInputs: Properties = {
  validityPeriodHours: 10,
  allowedUses: ["digital_signature", "server_auth", "client_auth"],
};

describe("certificates", () => {
  const algorithms: Properties[] = [
    { algorithm: "ECDSA", ecdsaCurve: "P256" },
    { algorithm: "ECDSA", ecdsaCurve: "P384" },
    { algorithm: "ECDSA", ecdsaCurve: "P521" },
    { algorithm: "RSA" },
    { algorithm: "ED25519" },
  ];
  for (const algorithm of algorithms)
    it(`of ${Object.values(algorithm).join(" ")} pass openssl's strict verification`, async () => {
      const caKey = await make("privateKey", algorithm);
      const ca = await make("selfSignedCert", caInputs(caKey.privateKeyPem));
      const key = await make("privateKey", algorithm);
      const request = await make("certRequest", {
        privateKeyPem: key.privateKeyPem ?? "",
        subject: { commonName: "kube-apiserver", organization: "system:masters" },
        dnsNames: ["kubernetes", "localhost"],
        ipAddresses: ["127.0.0.1", "fd00::1", "::ffff:10.0.0.1"],
        uris: ["spiffe://cluster/x"],
      });
      openssl("req", "-verify", "-noout", "-in", file("request.pem", request.certRequestPem));
      const leaf = await make("locallySignedCert", {
        ...leafInputs,
        certRequestPem: request.certRequestPem ?? "",
        caCertPem: ca.certPem ?? "",
        caPrivateKeyPem: caKey.privateKeyPem ?? "",
      });
      for (const purpose of ["sslserver", "sslclient"])
        assert.match(
          openssl(
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            file("ca.pem", ca.certPem),
            file("leaf.pem", leaf.certPem),
          ),
          /: OK/,
        );
      const text = described(leaf.certPem);
      assert.match(text, /Subject: O = system:masters, CN = kube-apiserver/);
      assert.match(text, /Key Usage: critical\s+Digital Signature\n/);
      assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication/);
      assert.match(
        text,
        /DNS:kubernetes, DNS:localhost, IP Address:127.0.0.1, IP Address:FD00:0:0:0:0:0:0:1, IP Address:0:0:0:0:0:FFFF:A00:1, URI:spiffe:\/\/cluster\/x/,
      );
      const serial = openssl("x509", "-noout", "-serial", "-in", join(directory, "leaf.pem"));
      assert.equal(BigInt(`0x${serial.trim().split("=")[1]}`).toString(), leaf.id);
    });

  it("of an authority that another authority has signed are verified by either", async () => {
    const algorithm = { algorithm: "ECDSA", ecdsaCurve: "P256" };
    const [older, newer] = [
      await make("privateKey", algorithm),
      await make("privateKey", algorithm),
    ];
    const named = (commonName: string) => ({ setSubjectKeyId: true, subject: { commonName } });
    const olderCa = await make("selfSignedCert", caInputs(older.privateKeyPem, named("ca")));
    const newerCa = await make("selfSignedCert", caInputs(newer.privateKeyPem, named("ca-2")));
    const sign = async (subject: Properties, key: string, caCertPem: string, more: Properties) => {
      const request = await make("certRequest", { privateKeyPem: newer.privateKeyPem!, subject });
      return make("locallySignedCert", {
        ...leafInputs,
        ...more,
        certRequestPem: request.certRequestPem!,
        caCertPem,
        caPrivateKeyPem: key,
      });
    };
    const cross = await sign({ commonName: "ca-2" }, older.privateKeyPem!, olderCa.certPem!, {
      isCaCertificate: true,
      setSubjectKeyId: true,
      allowedUses: ["cert_signing"],
    });
    const leaf = await sign({ commonName: "x" }, newer.privateKeyPem!, newerCa.certPem!, {});
    assert.match(described(cross.certPem), /CA:TRUE\n/);
    const verify = (ca: string | undefined, ...chain: string[]) =>
      openssl(
        ...["verify", "-x509_strict", "-CAfile", file("trusted.pem", ca), ...chain],
        file("crossed.pem", leaf.certPem),
      );
    const chain = ["-untrusted", file("cross.pem", cross.certPem)];
    assert.match(verify(olderCa.certPem, ...chain), /: OK/);
    assert.match(verify(newerCa.certPem, ...chain), /: OK/);
    assert.match(verify(newerCa.certPem), /: OK/);
    assert.throws(() => verify(olderCa.certPem));
  });

  it("of an authority carry how many may follow below", async () => {
    const { privateKeyPem } = await make("privateKey", { algorithm: "ECDSA", ecdsaCurve: "P256" });
    const text = async (more: Properties) =>
      described((await make("selfSignedCert", caInputs(privateKeyPem, more))).certPem);
    assert.match(await text({ maxPathLength: 0 }), /CA:TRUE, pathlen:0\n/);
    assert.match(await text({ maxPathLength: 3 }), /CA:TRUE, pathlen:3\n/);
    assert.match(await text({ maxPathLength: -1 }), /CA:TRUE\n/);
    assert.match(await text({}), /CA:TRUE\n/);
  });

  it("are refused with a key that is not the authority's", async () => {
    const algorithm = { algorithm: "ECDSA", ecdsaCurve: "P256" };
    const [one, other] = [await make("privateKey", algorithm), await make("privateKey", algorithm)];
    const ca = await make("selfSignedCert", caInputs(one.privateKeyPem));
    const request = await make("certRequest", { privateKeyPem: other.privateKeyPem ?? "" });
    await assert.rejects(
      make("locallySignedCert", {
        ...leafInputs,
        certRequestPem: request.certRequestPem ?? "",
        caCertPem: ca.certPem ?? "",
        caPrivateKeyPem: other.privateKeyPem ?? "",
      }),
      /provided PrivateKey doesn't match parent's PublicKey/,
    );
  });

  it("by what is no authority give a warning", async () => {
    const { privateKeyPem } = await make("privateKey", { algorithm: "ECDSA", ecdsaCurve: "P256" });
    const inputs = caInputs(privateKeyPem, { isCaCertificate: false });
    const { certPem } = await make("selfSignedCert", inputs);
    const request = await make("certRequest", { privateKeyPem: privateKeyPem ?? "" });
    const lines: string[] = [];
    await make(
      "locallySignedCert",
      {
        ...leafInputs,
        certRequestPem: request.certRequestPem ?? "",
        caCertPem: certPem ?? "",
        caPrivateKeyPem: privateKeyPem ?? "",
      },
      lines,
    );
    assert.match(lines.join(), /does not appear to be a valid Certificate Authority/);
  });
});

describe("renewal", () => {
  let inputs: Properties;
  let state: { id: string; inputs: Properties; properties: Properties };
  before(async () => {
    const { privateKeyPem } = await make("privateKey", { algorithm: "ED25519" });
    inputs = caInputs(privateKeyPem);
    const { id, ...outputs } = await make("selfSignedCert", inputs);
    state = { id: id ?? "", inputs, properties: { ...inputs, ...outputs } };
  });
  const cert = of("selfSignedCert");

  it("is not due before its time", async () => {
    assert.deepEqual(cert.drift?.(state, inputs), new Map());
    assert.equal((await cert.read?.(state, context()))?.outputs.readyForRenewal, false);
  });
  it("is due so many hours before the end", async () => {
    const early = { ...inputs, earlyRenewalHours: 100 };
    assert.deepEqual(cert.drift?.(state, early), new Map([["readyForRenewal", "update"]]));
    const later = { ...state, properties: { ...state.properties, ...early } };
    assert.equal((await cert.read?.(later, context()))?.outputs.readyForRenewal, true);
  });
  it("changes its hours in place, keeping the certificate", async () => {
    assert.equal(cert.replaces("earlyRenewalHours", state, inputs), false);
    assert.equal(cert.replaces("validityPeriodHours", state, inputs), true);
    const outputs = await cert.update?.(state, { ...inputs, earlyRenewalHours: 5 }, context());
    assert.equal(outputs?.certPem, state.properties.certPem);
    assert.equal("earlyRenewalHours" in (outputs ?? {}), false);
  });
});

describe("keys", () => {
  it("are read by OpenSSH", { skip: !has("ssh-keygen") }, async () => {
    const kinds: Properties[] = [
      { algorithm: "ECDSA", ecdsaCurve: "P256" },
      { algorithm: "RSA", rsaBits: 2048 },
      { algorithm: "ED25519" },
    ];
    for (const inputs of kinds) {
      const key = await make("privateKey", inputs);
      const path = file("id", key.privateKeyOpenssh);
      const keygen = (...args: string[]) =>
        execFileSync("ssh-keygen", [...args, "-f", path], { encoding: "utf8" });
      assert.equal(keygen("-y").trim(), key.publicKeyOpenssh?.trim());
      assert.ok(keygen("-l").includes(key.publicKeyFingerprintSha256 ?? "?"));
      assert.ok(keygen("-l", "-E", "md5").includes(key.publicKeyFingerprintMd5 ?? "?"));
    }
  });
  it("of the default curve have no OpenSSH form", async () => {
    const key = await make("privateKey", { algorithm: "ECDSA" });
    assert.deepEqual([key.ecdsaCurve, key.publicKeyOpenssh], ["P224", ""]);
  });
});

describe("inputs that are refused", () => {
  const cert = { ...leafInputs, certRequestPem: "", caCertPem: "", caPrivateKeyPem: "" };
  const cases: [name: string, inputs: Properties, field: string, message: RegExp][] = [
    ["privateKey", { algorithm: "DSA" }, "algorithm", /one of RSA, ECDSA, ED25519/],
    ["privateKey", { algorithm: "RSA", rsaBits: 512 }, "rsaBits", /at least|from 1024/],
    ["privateKey", { algorithm: "ECDSA", ecdsaCurve: "P192" }, "ecdsaCurve", /one of P224/],
    [
      "certRequest",
      { privateKeyPem: "", ipAddresses: ["10.0.0"] },
      "ipAddresses[0]",
      /an IP address/,
    ],
    ["certRequest", { privateKeyPem: "", subject: { org: "x" } }, "subject.org", /not implemented/],
    ["certRequest", { privateKeyPemWo: "x" }, "privateKeyPemWo", /not implemented/],
    [
      "locallySignedCert",
      { ...cert, allowedUses: ["serverAuth"] },
      "allowedUses[0]",
      /one of any_ext/,
    ],
    [
      "locallySignedCert",
      { ...cert, validityPeriodHours: -1 },
      "validityPeriodHours",
      /at least 0/,
    ],
    [
      "selfSignedCert",
      caInputs("x", { subject: {} }),
      "subject",
      /at least one Distinguished Name/,
    ],
    [
      "selfSignedCert",
      caInputs("x", { isCaCertificate: false, setAuthorityKeyId: true }),
      "setAuthorityKeyId",
      /Could not determine/,
    ],
  ];
  for (const [name, inputs, field, message] of cases)
    it(`${name}: ${field}`, () => assert.match(wrong(of(name), inputs)[field] ?? "", message));

  it("a text that is no key fails with a message that does not show it", async () => {
    await assert.rejects(make("certRequest", { privateKeyPem: "hunter2" }), (error: Error) => {
      assert.match(error.message, /failed to parse private key PEM/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });
});

describe("private keys", () => {
  it("can be made by the thousand in one process", () => {
    const script = `
      import { provider } from ${JSON.stringify(new URL("../plugins/tls/index.ts", import.meta.url).href)};
      const { create } = provider.resources["tls:index/privateKey:PrivateKey"];
      for (let made = 0; made < 3000; made++)
        await create({ algorithm: "ECDSA", ecdsaCurve: "P256" }, {});`;
    execFileSync(
      process.execPath,
      ["--max-semi-space-size=1", "--import", "tsx", "--input-type=module", "--eval", script],
      { cwd: import.meta.dirname, timeout: 60_000 },
    );
  });
});
