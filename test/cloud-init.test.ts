import assert from "node:assert/strict";
import { parse } from "yaml";
import { networkConfig, userData } from "../stacks/cloud-init.ts";
import { CloudInit } from "./support/cloud-init.ts";

const machines = [
  { name: "cp1", address: "10.240.0.11" },
  { name: "worker1", address: "10.240.0.21" },
];
const firstBoot = {
  name: "worker1",
  hostKey: {
    privateKey:
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n",
    publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA host",
  },
  operatorKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5BBBB operator\n",
  machines,
};
const card = {
  // Without quotes, YAML 1.1 reads a number to the base of 60.
  mac: "52:54:00:11:22:33",
  address: "10.240.0.21/24",
  gateway: "10.240.0.1",
  nameServers: ["10.240.0.1"],
};

describe("cloud-init of Debian", function () {
  this.timeout(120_000);
  let cloudInit: CloudInit;

  before(async function () {
    const unpacked = await CloudInit.unpacked();
    if (unpacked === undefined) this.skip();
    else cloudInit = unpacked;
  });

  it("accepts the user data of a machine", async () => {
    const { code, stderr, stdout } = await cloudInit.checkUserData(userData(firstBoot));
    assert.equal(code, 0, stderr + stdout);
    assert.match(stdout, /^Valid cloud-config/m);
  });

  it("has a module for each setting in the user data", async () => {
    const known = await cloudInit.knownSettings();
    assert.ok(!known.has("ssh_host_keys"));
    const unknown = Object.keys(parse(userData(firstBoot))).filter((name) => !known.has(name));
    assert.deepEqual(unknown, []);
  });

  it("lets the operator alone in as root, and none whose key the platform offers", async () => {
    const text = userData(firstBoot);
    const offered = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5CCCC former";
    assert.deepEqual(await cloudInit.keysOfRoot(text, offered), [firstBoot.operatorKey.trim()]);
    const open = text.replace(/^allow_public_ssh_keys.*\n/m, "");
    assert.deepEqual(await cloudInit.keysOfRoot(open, offered), [
      firstBoot.operatorKey.trim(),
      offered,
    ]);
  });

  it("refuses user data with values of other types, and text without its first line", async () => {
    const text = userData(firstBoot);
    const wrong = await cloudInit.checkUserData(
      text.replace("ssh_pwauth: false", "ssh_pwauth: []"),
    );
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr + wrong.stdout, /ssh_pwauth: \[\] is not/);
    const headless = await cloudInit.checkUserData(text.replace("#cloud-config\n", ""));
    assert.equal(headless.code, 1);
  });

  it("gives the card its address, way out and name servers, by its MAC address", async () => {
    const { code, stderr, files } = await cloudInit.networkFiles(networkConfig(card), {
      name: "ens3",
      mac: card.mac,
    });
    assert.equal(code, 0, stderr);
    const [file = "", ...others] = files.values();
    assert.deepEqual(others, []);
    const lines = file.split("\n").filter((line) => line !== "");
    for (const line of [
      `MACAddress=${card.mac}`,
      `Address=${card.address}`,
      `DNS=${card.nameServers[0]}`,
      `Gateway=${card.gateway}`,
      "Destination=0.0.0.0/0",
      "DHCP=no",
    ])
      assert.ok(lines.includes(line), `${line} is not in\n${file}`);
  });

  it("refuses an address that is none", async () => {
    const text = networkConfig({ ...card, address: "10.240.0.256/24" });
    const { code, stderr, files } = await cloudInit.networkFiles(text, {
      name: "ens3",
      mac: card.mac,
    });
    assert.notEqual(code, 0);
    assert.match(stderr, /10\.240\.0\.256/);
    assert.equal(files.size, 0);
  });
});
