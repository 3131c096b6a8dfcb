import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { certificatesIn, tableOf } from "../operations/certificates/certificates.ts";
import { endings } from "../settings/endings.ts";

// Signed by itself, until 2126-10-28T12:03:34Z.
const pem = readFileSync(new URL("./support/certificate.pem", import.meta.url), "utf8");

describe("make certs", () => {
  const resource = (type: string, name: string, outputs: object, inputs: object = {}) => ({
    type,
    urn: `urn:pulumi:x::y::${type}::${name}`,
    inputs: inputs as Record<string, unknown>,
    outputs: outputs as Record<string, unknown>,
  });
  const issued = (name: string) =>
    resource(
      "tls:index/locallySignedCert:LocallySignedCert",
      name,
      { certPem: pem },
      { earlyRenewalHours: 720 },
    );
  const resources = [
    resource("kthw:index:CertificateAuthority", "etcd-ca", { trustPem: `${pem}\n${pem}` }),
    issued("cp1:etcd-peer"),
    resource("tls:index/privateKey:PrivateKey", "cp1:etcd-peer-key", {}),
  ];

  it("lists authorities, their issuers, and what they signed", () => {
    const now = new Date("2126-09-28T12:00:00Z");
    assert.deepEqual(tableOf(certificatesIn(resources, now), now), [
      "ENDS        DAYS  CERTIFICATE    SUBJECT  ISSUER",
      "2126-10-28  30    cp1:etcd-peer  test-ca  test-ca",
      "2126-10-28  30    etcd-ca        test-ca  test-ca",
      "2126-10-28  30    etcd-ca        test-ca  test-ca",
    ]);
  });

  it("says which the next update renews", () => {
    const now = new Date("2126-09-28T12:03:35Z");
    const [due, ...others] = certificatesIn(resources, now);
    assert.deepEqual([due!.name, due!.due], ["cp1:etcd-peer", true]);
    assert.ok(others.every(({ due }) => !due));
    assert.match(
      tableOf([due!], now)[1]!,
      /^2126-10-28 {2}29 .* test-ca; the next update renews it$/,
    );
  });
});

describe("an update", () => {
  const left = (type: string, name: string, outputs: object) => ({
    type,
    urn: `urn:pulumi:x::y::${type}::${name}`,
    outputs: outputs as Record<string, unknown>,
  });
  const state = (earlyRenewalHours: number) => [
    left("kthw:index:CertificateAuthority", "etcd-ca", { trustPem: pem }),
    left("tls:index/locallySignedCert:LocallySignedCert", "cp1:etcd-peer", {
      certPem: pem,
      earlyRenewalHours,
    }),
  ];

  it("says what it renews, and what ends within 30 days all the same", () => {
    assert.deepEqual(endings(state(720), new Date("2126-09-28T12:03:35Z")), {
      renewed: ["cp1:etcd-peer, which ends on 2126-10-28"],
      ending: ["etcd-ca, which ends on 2126-10-28"],
    });
    assert.deepEqual(endings(state(24), new Date("2126-09-28T12:03:35Z")).ending, [
      "cp1:etcd-peer, which ends on 2126-10-28",
      "etcd-ca, which ends on 2126-10-28",
    ]);
    assert.deepEqual(endings(state(24), new Date("2126-09-28T12:03:33Z")), {
      renewed: [],
      ending: [],
    });
  });
});
