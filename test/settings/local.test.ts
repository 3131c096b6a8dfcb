import assert from "node:assert/strict";
import { changed, itRefuses, mistakes, written } from "../support/settings.ts";

describe("settings of machines on this computer:", () => {
  describe("ports", () =>
    itRefuses([
      [
        { "local.apiPort": 0 },
        "local.apiPort: not a port, got 0; use a whole number from 1 to 65535",
      ],
      [
        { "local.sshPortBase": 65_536 },
        "local.sshPortBase: not a port, got 65536; use a whole number from 1 to 65535",
      ],
      [
        { "local.sshPortBase": 65_520 },
        "local.sshPortBase: too high for the SSH port of 10.240.0.22, got 65520; use at most 65513",
      ],
      [
        { machineCidr: "10.224.0.0/11" },
        "local.sshPortBase: too high for the SSH port of 10.240.0.22, got 22000; choose a machineCidr in which that address comes earlier",
      ],
      [
        { "local.apiPort": 22_011 },
        "local.apiPort: also the SSH port of 10.240.0.11, got 22011; choose another port",
      ],
    ]));

  describe("mirrors", () =>
    itRefuses([
      [
        { "artifacts.mirror": "mirror" },
        "artifacts.mirror: neither an absolute folder nor an http(s) address, got mirror; write it like /srv/kthw or https://mirror.example.com/kthw",
      ],
      [
        { "artifacts.mirror": "https://me:word@mirror.example.com" },
        "artifacts.mirror: an address with a password, got [secret]; let the server admit the machines without one",
      ],
      [
        { "artifacts.mirror": "https://mirror.example.com/kthw?version=1" },
        "artifacts.mirror: an address with a query or fragment, got https://mirror.example.com/kthw?version=1; write it like https://mirror.example.com/kthw",
      ],
      [
        { "artifacts.mirror": "https:mirror" },
        "artifacts.mirror: neither an absolute folder nor an http(s) address, got https:mirror; write it like /srv/kthw or https://mirror.example.com/kthw",
      ],
      [
        { "artifacts.mirror": "https://mirror.example.com" },
        "artifacts.mirror: out of reach for machines on this computer, got https://mirror.example.com; copy it into a folder and write that",
      ],
    ]));
});

describe("surroundings of machines on this computer", () => {
  it("a stack's name", () => {
    const todo = "name the stack with up to 40 small letters, digits and inner dashes, like local";
    for (const stack of ["My.Stack", "a_b", "x".repeat(41)]) {
      assert.deepEqual(mistakes(written(), { stack }), [
        `stack: not usable as the name of a network namespace, got ${stack}; ${todo}`,
      ]);
    }
  });

  it("a computer's architecture", () =>
    assert.deepEqual(mistakes(written(), { arch: "riscv64" }), [
      "architecture: not supported, got riscv64; use a computer of amd64 or arm64",
    ]));

  it("a kernel that cannot do what kube-proxies are to do", () => {
    const inMode = (mode: string, kernel: { release: string; ipvs: boolean }) =>
      mistakes(changed({ "kubeProxy.mode": mode }), { kernel });
    const plain = { release: "6.18.44", ipvs: false };
    const old = { release: "5.10.0-32-amd64", ipvs: true };
    assert.deepEqual(inMode("ipvs", plain), [
      "kubeProxy.mode: this computer's kernel 6.18.44, which its machines share, has no ip_vs, got ipvs; use iptables or nftables, or a kernel with ip_vs",
    ]);
    assert.deepEqual(inMode("nftables", old), [
      "kubeProxy.mode: this computer's kernel 5.10.0-32-amd64, which its machines share, is older than 5.13, got nftables; use iptables, or a newer kernel",
    ]);
    assert.deepEqual(
      [
        inMode("nftables", plain),
        inMode("nftables", { release: "5.13.0", ipvs: false }),
        inMode("ipvs", old),
        inMode("iptables", { release: "4.19.0", ipvs: false }),
      ],
      [[], [], [], []],
    );
  });

  it("a cache folder", () => {
    const cacheDir = "cache";
    assert.deepEqual(mistakes(written(), { cacheDir }), [
      "KTHW_CACHE: not an absolute folder, got cache; start it with a slash",
    ]);
    assert.deepEqual(mistakes({ ...written(), artifacts: { mirror: "/m" } }, { cacheDir }), []);
  });
});
