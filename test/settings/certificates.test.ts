import assert from "node:assert/strict";
import { changed, itRefuses, mistakes } from "../support/settings.ts";

describe("settings of certificates:", () => {
  describe("an authority", () =>
    itRefuses([
      [
        { "certificates.authority": { certificate: "ca.pem", privateKey: "secret words" } },
        "certificates.authority.certificate: neither PEM nor the path of a file, got ca.pem; write a path like /etc/ssl/kubernetes-ca.pem",
        "certificates.authority.privateKey: neither PEM nor the path of a file, got [secret]; write a path like /etc/ssl/kubernetes-ca-key.pem",
      ],
      [
        { "certificates.authority": { certificate: "./Makefile", privateKey: "./nowhere.pem" } },
        "certificates.authority.privateKey: not readable (no such file), got ./nowhere.pem; name a file of PEM that this computer can read",
        "certificates.authority.certificate: no certificates in PEM, got ./Makefile; write the authority's own first, then those above it up to the root",
      ],
      [
        { "certificates.authorty": { privateKey: "-----BEGIN PRIVATE KEY-----\nMIGH" } },
        "certificates.authorty: unknown setting, got [secret]; did you mean authority?",
        "certificates.authority.certificate: neither PEM nor the path of a file, got nothing; write a path like /etc/ssl/kubernetes-ca.pem",
      ],
      [
        { "certificates.authority": { certificate: "./Makefile", privatekey: "MIGHAgEA" } },
        "certificates.authority.privatekey: unknown setting, got [secret]; did you mean privateKey?",
        "certificates.authority.privateKey: neither PEM nor the path of a file, got [secret]; write a path like /etc/ssl/kubernetes-ca-key.pem",
      ],
      [
        { "certificates.authority": { certificate: "./Makefile" } },
        "certificates.authority.privateKey: neither PEM nor the path of a file, got nothing; write a path like /etc/ssl/kubernetes-ca-key.pem",
      ],
    ]));
});

describe("a rotation in the settings", () => {
  const todo = "write trust 2 for the first step, then sign 2, then drop 1";
  itRefuses([
    [
      {
        "certificates.rotation": { etcdCa: "trust 1", frontProxyCa: "sign", serviceAccountKey: 2 },
      },
      `certificates.rotation.etcdCa: not a step of a rotation, got trust 1; ${todo}`,
      `certificates.rotation.frontProxyCa: not a step of a rotation, got sign; ${todo}`,
      `certificates.rotation.serviceAccountKey: not a step of a rotation, got 2; ${todo}`,
    ],
    [
      { "certificates.rotation.kubernetesCa": "sign 2", "workerPools[0].join": "kubeadm" },
      "certificates.rotation.kubernetesCa: a kubelet of workerPools[0], which joins by kubeadm, keeps the authority with which it joined, got sign 2; let the pool join by certificates from an update before on",
    ],
    [
      {
        "certificates.rotation.kubernetesCa": "drop 1",
        "certificates.authority": { certificate: "./Makefile", privateKey: "./nowhere.pem" },
      },
      "certificates.authority.privateKey: not readable (no such file), got ./nowhere.pem; name a file of PEM that this computer can read",
      "certificates.authority.certificate: no certificates in PEM, got ./Makefile; write the authority's own first, then those above it up to the root",
      "certificates.rotation.kubernetesCa: not possible with certificates.authority, which others sign, got drop 1; leave it out",
    ],
  ]);
});

describe("an authority in the settings", () => {
  it("a key in plain text", () => {
    const privateKey = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n";
    const raw = changed({ "certificates.authority": { certificate: "./Makefile", privateKey } });
    const plain =
      "certificates.authority.privateKey: in plain text in the settings, got [secret]; encrypt it by pulumi config set --secret --path 'kthw:certificates.authority.privateKey', or name a file";
    assert.ok(mistakes(raw, { isSecret: () => false }).includes(plain));
    assert.ok(!mistakes(raw).includes(plain));
  });
});
