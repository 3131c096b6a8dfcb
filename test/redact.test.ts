import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { stringify } from "yaml";
import { redact, withoutEnvironment, withoutValues } from "../operations/logs/redact.ts";

const pem = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();
const jwt = ["eyJhbGciOiJSUzI1NiJ9", "eyJzdWIiOiJzeXN0ZW0ifQ", "c2lnbmF0dXJl-_"].join(".");

describe("a text for a bug report", () => {
  const secrets: Record<string, [text: string, rest: string]> = {
    "a private key": [`key:\n${pem}end`, "key:\n(removed)\nend"],
    "a private key in a journal": [
      `10:00 tool[1]: ${pem.trim().replaceAll("\n", "\n10:00 tool[1]: ")}\n10:01 next`,
      "10:00 tool[1]: (removed)\n10:01 next",
    ],
    "a line of a private key": [pem.split("\n")[1]!, "(removed)"],
    "a key of 32 bytes in base64": [
      "secret: q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
      "secret: (removed)",
    ],
    "a key in base64 that has no digits": [
      "key: GRWgrrwpuecSBkbhIWIXcHWowdzeXEblvMGbGrDo++k=",
      "key: (removed)",
    ],
    "the hash of a password": [
      "$2a$10$N9qo8uLOickgx2ZMRZoMye.IjZAgcfl7p92ldGxad68LJZdL17lhW here",
      "(removed) here",
    ],
    "the key of a kubeconfig": [
      `    client-key-data: ${pem.slice(0, 9)}`,
      "    client-key-data: (removed)",
    ],
    "a service account's token": [`got ${jwt}, too`, "got (removed), too"],
    "a bearer token": ['"Authorization": "Bearer abc"', '"Authorization": (removed)'],
    "a bearer token in a sentence": ["sent Bearer abc, refused", "sent Bearer (removed), refused"],
    "a bootstrap token": [
      "join --token-file x 07401b.f395accd246ae52d",
      "join --token-file x 07401b.(removed)",
    ],
    "a flag with a token": ["kubeadm join --token=x y", "kubeadm join --token=(removed) y"],
    "a password in JSON": ['{"password":"a b","user":"c"}', '{"password":(removed),"user":"c"}'],
    "a password in YAML": ["dbPassword: hunter2", "dbPassword: (removed)"],
    "a password in an address": ["get https://me:hunter2@host/x", "get https://(removed)@host/x"],
  };
  for (const [what, [text, rest]] of Object.entries(secrets))
    it(`does not show ${what}`, () => {
      assert.equal(redact(text), rest);
    });

  it("does not show random bytes in base64", () => {
    for (let round = 0; round < 50; round++) {
      const key = randomBytes(32).toString("base64");
      assert.ok(!redact(`key1 ${key}`).includes(key));
    }
  });

  const harmless = [
    'Nov 21 18:00:00 worker1 kubelet[42]: I1121 reconciler.go:26 "Starting" pod="kube-system/coredns-5d78c9869d-x2x4x"',
    "containerd://3e1c9b1f4c2b6f5a7d8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f90123456789",
    "Image: registry.k8s.io/coredns/coredns:v1.14.2@sha256:3e1c9b1f4c2b6f5a7d8e9f0a1b2c3d4e5f60718293a4b5c6d7e8f90123456789",
    "file /etc/kubernetes/pki/apiserver-etcd-client.key 0600 root:root",
    "    TokenExpirationSeconds:  3607",
    "/var/lib/kubelet/pods/0b4f9a2e-8d4b-4c8f-9d59-6c1f2b1d8e7a/volumes/kubernetes.io~projected/kube-api-access",
    "https://127.0.0.1:2379/health?serializable=true",
  ];
  for (const line of harmless)
    it(`shows ${line}`, () => {
      assert.equal(redact(line), line);
    });

  it("shows the names of a Pod's environment variables, but not their values", () => {
    const described = [
      "    Ready:          True",
      "    Environment:",
      "      DB:         postgres",
      "                  second line",
      "      KEY:        <set to the key 'x' in secret 'y'>  Optional: false",
      "    Mounts:",
      "      /var/run from x (ro)",
    ];
    assert.deepEqual(withoutEnvironment(described.join("\n")).split("\n"), [
      "    Ready:          True",
      "    Environment:",
      "      DB:         (removed)",
      "(removed)",
      "      KEY:        (removed)",
      "    Mounts:",
      "      /var/run from x (ro)",
    ]);
  });

  it("does not show values of environment variables in a manifest of a static Pod", () => {
    const pod = {
      spec: {
        containers: [
          {
            name: "one",
            env: [
              { name: "DB", value: "hunter2" },
              { value: "several\n\nlines", name: "LINES" },
              { name: "LONG", value: `a ${"long ".repeat(40)}text` },
            ],
            image: "one:1",
          },
        ],
      },
    };
    const text = stringify(pod).replaceAll(/^(?=.)/gm, "  ");
    const shown = withoutValues(
      `service kubelet\nfile /x 0600 root:root\n${text}file /y 0644 a:a\n`,
    );
    assert.doesNotMatch(shown, /hunter2|several|lines$|long/m);
    assert.match(shown, /name: LINES/);
    assert.match(shown, /image: one:1\nfile \/y 0644 a:a\n$/);
    assert.equal(shown.match(/value: \(removed\)$/gm)?.length, 3);
  });
});
