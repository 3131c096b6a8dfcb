import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { certificatesIn, tableOf } from "../operations/certificates/certificates.ts";

describe("make certs", () => {
  // Signed by itself, until 2126-10-28T12:03:34Z.
  const pem = readFileSync(new URL("./support/certificate.pem", import.meta.url), "utf8");
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
