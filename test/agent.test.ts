import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { agentScript } from "../node/agent.ts";
import { type Bundle, describeBundle, describeService, type Service } from "../node/description.ts";

/** A service with every header that there is. */
const clock: Required<Service> = {
  name: "clock",
  requires: ["test -e /dev/rtc", "true"],
  packages: ["tzdata", "ntpsec"],
  masks: ["ntpsec.service"],
  users: ["clock"],
  directories: [{ path: "/var/lib/clock", mode: "0700", owner: "clock:clock" }],
  unit: "clock.service",
  reads: ["/etc/clock.key", "/etc/zones"],
  health: "test -S /run/clock.sock && echo 'well'",
  reload: "clock --check",
  timeoutSeconds: 90,
  teardown: ["rm -f /run/clock.sock"],
  undo: ["hwclock --systohc"],
  data: ["/var/lib/clock/cache"],
  files: [
    { path: "/etc/systemd/system/clock.service", text: "[Unit]\n\n  [Service]\nend\n" },
    { path: "/etc/zone", text: "UTC\n", mode: "0600", owner: "clock:clock", live: true },
  ],
};
const bundle: Required<Bundle> = {
  name: "clock",
  users: ["clock"],
  directories: clock.directories,
  data: ["/etc/clock"],
  files: [{ path: "/etc/clock.key", text: "KEY\n", mode: "0600" }],
};

/** Lets the agent's own reader read a description, and prints what it has found out in lines `VARIABLE VALUE`. */
function readByAgent(description: string, ...variables: string[]) {
  const folder = new URL("../node/agent/", import.meta.url).pathname;
  const script = `source "$0/head.sh"; source "$0/description.sh"; read_description
    for variable; do
      declare -n values=$variable
      for value in "\${values[@]}"; do printf '%s %s\\0' "$variable" "$value"; done
    done`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script, folder, ...variables], {
    input: description,
    encoding: "utf8",
  });
  return { status, stderr, found: stdout.split("\0").slice(0, -1) };
}

describe("the agent's reader", () => {
  it("finds in a description of a service all that was written", () => {
    const listed = ["requires", "packages", "masks", "users", "reads", "data"] as const;
    const { status, stderr, found } = readByAgent(
      describeService(clock),
      ...["kind", "name", "unit", "health", "reload", "timeout", ...listed, "teardowns", "undos"],
      ...["directories", "directory_modes", "directory_owners"],
      ...["paths", "modes", "owners", "live", "texts"],
    );
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    assert.deepEqual(found, [
      "kind service",
      "name clock",
      "unit clock.service",
      `health ${clock.health}`,
      `reload ${clock.reload}`,
      "timeout 90",
      ...listed.flatMap((list) => clock[list].map((one) => `${list} ${one}`)),
      ...clock.teardown.map((one) => `teardowns ${one}`),
      ...clock.undo.map((one) => `undos ${one}`),
      "directories /var/lib/clock",
      "directory_modes 0700",
      "directory_owners clock:clock",
      ...clock.files.map(({ path }) => `paths ${path}`),
      "modes 0644",
      "modes 0600",
      "owners root:root",
      "owners clock:clock",
      "live ",
      "live live",
      ...clock.files.map(({ text }) => `texts ${text}`),
    ]);
  });

  it("finds the same in one of version 1", () => {
    for (const description of [describeService(clock), describeBundle(bundle)]) {
      const former = `${description.split("\n").slice(1, -2).join("\n")}\n`;
      const variables = ["kind", "name", "paths", "texts", "data", "content", "description"];
      const [one, other] = [description, former].map((text) => readByAgent(text, ...variables));
      assert.equal(one!.status, 0);
      assert.deepEqual(other, one);
      assert.ok(one!.found.includes(`content ${former}`));
      assert.ok(one!.found.includes(`description ${description}`));
    }
  });

  it("refuses one that is cut off at any line, of a later version, or with a header that is not known", () => {
    for (const description of [describeService(clock), describeBundle(bundle)]) {
      const lines = description.trimEnd().split("\n");
      for (let count = 0; count < lines.length; count++) {
        const { status, stderr } = readByAgent(lines.slice(0, count).join("\n"));
        assert.equal(status, 1, lines[count]);
        assert.match(stderr, /(is cut off|is empty).*; nothing was changed\n$/);
      }
    }
    for (const [description, said] of [
      ["kthw 3\nservice clock\nend\n", /must be one of 1 to 2, got kthw 3; nothing was changed\n$/],
      ["service clock\nend\n", /unknown header in the description: end; nothing was changed\n$/],
      ["unit clock.service\n", /names no service or bundle; nothing was changed\n$/],
    ] as const) {
      const { status, stderr } = readByAgent(description);
      assert.equal(status, 1);
      assert.match(stderr, said);
    }
  });
});

describe("the agent's script", () => {
  it("is one script: it begins with its only interpreter line and ends with the choice of the verb", () => {
    assert.match(agentScript, /^#!\/usr\/bin\/env bash\n/);
    assert.equal(agentScript.match(/^#!/gm)?.length, 1);
    assert.doesNotMatch(agentScript, /^# shellcheck shell=/m);
    assert.match(agentScript, /\ncase \$verb in\n[\s\S]*\nesac\n$/);
  });
  it("has the functions of its parts, without their comments", () => {
    const folder = fileURLToPath(new URL("../node/agent/", import.meta.url));
    const parts = readdirSync(folder).filter((name) => name !== "main.sh");
    const functions = (script: string) => {
      const { status, stdout } = spawnSync("bash", ["-c", `${script}\ndeclare -f`], {
        encoding: "utf8",
      });
      assert.equal(status, 0);
      return stdout;
    };
    const placed = agentScript.slice(0, agentScript.indexOf("\nverb="));
    assert.equal(
      functions(placed),
      functions(parts.map((name) => `source "${folder}${name}"`).join("\n")),
    );
    assert.doesNotMatch(agentScript, /^ *#[^!]/m);
  });
});
