import assert from "node:assert/strict";
import { authority, type Made } from "../support/authority.ts";
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
        "certificates.rotation.kubernetesCa": "sign 2",
        "certificates.authority": { certificate: "./Makefile", privateKey: "./Makefile" },
      },
      "certificates.authority.certificate: no certificates in PEM, got ./Makefile; write the authority's own first, then those above it up to the root",
      "certificates.authority.privateKey: no private key in PEM, got ./Makefile; write it in PEM, without a passphrase",
      "certificates.nextAuthority: missing at certificates.rotation.kubernetesCa sign 2, got nothing; give what replaces certificates.authority",
    ],
    [
      {
        "certificates.rotation.kubernetesCa": "trust 2",
        "certificates.nextAuthority": { certificate: "./Makefile", privateKey: "./Makefile" },
      },
      "certificates.nextAuthority.certificate: no certificates in PEM, got ./Makefile; write the authority's own first, then those above it up to the root",
      "certificates.nextAuthority.privateKey: no private key in PEM, got ./Makefile; write it in PEM, without a passphrase",
      "certificates.nextAuthority: without certificates.authority, got a group; leave it out",
    ],
    [
      {
        "certificates.rotation.kubernetesCa": "drop 1",
        "certificates.authority": { certificate: "./Makefile", privateKey: "./Makefile" },
        "certificates.nextAuthority": { certificate: "./Makefile", privateKey: "./Makefile" },
      },
      ...["authority", "nextAuthority"].flatMap((name) => [
        `certificates.${name}.certificate: no certificates in PEM, got ./Makefile; write the authority's own first, then those above it up to the root`,
        `certificates.${name}.privateKey: no private key in PEM, got ./Makefile; write it in PEM, without a passphrase`,
      ]),
      "certificates.nextAuthority: of use only at trust and sign of certificates.rotation.kubernetesCa, which is drop 1, got a group; write it as certificates.authority at drop, and leave it out before trust",
    ],
  ]);
});

describe("an authority in the settings", () => {
  it("that takes the place of one below another root, has its key, or is not known to guests", () => {
    const root = authority("Root");
    const [one, other, stranger] = [
      authority("One", { by: root }),
      authority("Other", { by: root }),
      authority("Stranger"),
    ];
    const group = (...[own, ...above]: Made[]) => ({
      certificate: [own!, ...above].map(({ certificate }) => certificate).join(""),
      privateKey: own!.key,
    });
    const of = (next: object) =>
      mistakes(
        changed({
          "certificates.rotation.kubernetesCa": "trust 2",
          "certificates.authority": group(one!, root),
          "certificates.nextAuthority": next,
        }),
      );
    const wrong = [
      "certificates.nextAuthority.certificate: does not end with the same certificate as certificates.authority.certificate, got a text; write both up to the same root, by which servers are verified meanwhile",
    ];
    assert.deepEqual(of(group(other!, root)), []);
    assert.deepEqual(of(group(other!)), wrong);
    assert.deepEqual(of(group(stranger!)), wrong);
    const guests = changed({
      "certificates.rotation.kubernetesCa": "sign 2",
      "certificates.authority": group(one!, root),
      "certificates.nextAuthority": group(other!, root),
      joinTokens: [{ name: "guests" }],
    });
    assert.deepEqual(mistakes(guests), [
      "certificates.rotation.kubernetesCa: guests know API servers by certificates.authority alone, without its root, got sign 2; let the guests leave, and leave joinTokens out until drop has ended",
    ]);
    assert.deepEqual(of(group(one!, root)), [
      "certificates.nextAuthority.certificate: has the key of certificates.authority, got a text; give one with another key, or renew the certificate without a rotation",
    ]);
  });

  it("a key in plain text", () => {
    const privateKey = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n";
    const raw = changed({ "certificates.authority": { certificate: "./Makefile", privateKey } });
    const plain =
      "certificates.authority.privateKey: in plain text in the settings, got [secret]; encrypt it by pulumi config set --secret --path 'kthw:certificates.authority.privateKey', or name a file";
    assert.ok(mistakes(raw, { isSecret: () => false }).includes(plain));
    assert.ok(!mistakes(raw).includes(plain));
  });
});
