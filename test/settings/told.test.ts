import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { parseSettings } from "../../settings/settings.ts";
import { warnings } from "../../settings/warnings.ts";
import {
  type Change,
  changed,
  context,
  label,
  mistakes,
  root,
  settings,
  worker1,
  worker2,
  written,
} from "../support/settings.ts";

describe("mistakes in settings are told", () => {
  it("all at once", () => {
    const raw = changed({
      reasert: 1,
      platform: "moon",
      "controllers[2]": undefined,
      [`${worker1}.address`]: "10.0.0.1",
      [`${worker2}.name`]: "lb",
    });
    const before = structuredClone(raw);
    assert.deepEqual(
      mistakes(raw).map((line) => line.slice(0, line.indexOf(":"))),
      ["reasert", "platform", "controllers", `${worker2}.name`, `${worker1}.address`],
    );
    assert.deepEqual(raw, before);
  });

  it("those of the mirror too, unless nobody knows which it is", () => {
    const mirrorOf = (change: Change) => {
      const result = parseSettings(changed(change), context);
      return "mirror" in result ? result.mirror?.artifacts.mirror : "no mistake";
    };
    assert.equal(mirrorOf({ reassert: -1 }), "/var/cache/kthw/mirror");
    assert.equal(mirrorOf({ platform: "moon" }), undefined);
    assert.equal(mirrorOf({ platform: "moon", "artifacts.mirror": "/srv/kthw" }), "/srv/kthw");
    assert.equal(mirrorOf({ "artifacts.mirror": "kthw" }), undefined);
    assert.equal(mirrorOf({ kubernetesVersion: "1.18.0" }), undefined);
  });

  it("from the program in seconds, without a stack trace", () => {
    const config = {
      "kthw:clusterName": "A",
      "kthw:artifacts": '{"mirror":"/nonexistent"}',
      "kthw:loadBalancers": JSON.stringify(written().loadBalancers),
    };
    const program = "await (await import('./settings/load.ts')).loadSettings()";
    const { stderr, status } = spawnSync(
      process.execPath,
      ["--import", "tsx", "--input-type", "module", "--eval", program],
      {
        cwd: root,
        encoding: "utf8",
        env: {
          ...process.env,
          PULUMI_CONFIG: JSON.stringify(config),
          PULUMI_NODEJS_STACK: "local",
        },
      },
    );
    assert.deepEqual(stderr.trimEnd().split("\n"), [
      `error: [runtime] clusterName: not a DNS label, got A; ${label} kubernetes`,
      "error: [runtime] controllers: no machine, got nothing; list one, three or five",
      "error: [runtime] artifacts.mirror: no SHA256SUMS (ENOENT: no such file or directory, open '/nonexistent/SHA256SUMS'), got /nonexistent; fill the mirror, the default one with `make artifacts`",
    ]);
    assert.equal(status, 32);
  });
});

describe("a warning", () => {
  it("tells of what is right today and will not be", () => {
    const inMode = (mode: string) =>
      warnings(settings(changed({ "kubeProxy.mode": mode })), context);
    assert.deepEqual(inMode("ipvs"), [
      "kubeProxy.mode: ipvs is deprecated in Kubernetes since 1.35 and will be removed; use nftables",
    ]);
    assert.deepEqual([inMode("iptables"), inMode("nftables")], [[], []]);
  });

  it("tells what a step of a rotation leaves to the operator before the next one", () => {
    const at = (rotation: object, change: Change = {}) =>
      warnings(settings(changed({ "certificates.rotation": rotation, ...change })), context);
    const guests = { joinTokens: [{ name: "guests" }] };
    const pods =
      "certificates.rotation.kubernetesCa: programs in Pods that use the API may have read only the former authority; start Pods from before trust 2 again before drop 1, and give users their kubeconfigs anew";
    assert.deepEqual(at({ kubernetesCa: "sign 2" }), [pods]);
    assert.deepEqual(at({ kubernetesCa: "sign 2" }, guests), [
      pods,
      "certificates.rotation.kubernetesCa: guests know only the authority with which they joined; let each join anew before drop 1",
    ]);
    assert.deepEqual(at({ serviceAccountKey: "sign 2" }), [
      "certificates.rotation.serviceAccountKey: tokens of the former key outside of Pods and on guests are valid until they end, an hour as a rule; wait for that before drop 1",
    ]);
    for (const step of ["trust 2", "drop 1"])
      assert.deepEqual(at({ kubernetesCa: step, serviceAccountKey: step }, guests), []);
  });
});
