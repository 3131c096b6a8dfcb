import assert from "node:assert/strict";
import { commandLine, unit } from "../../services/systemd.ts";
import { NodeMachine } from "./support/node-machine.ts";

describe("the flags of a unit", function () {
  this.timeout(120_000);
  let machine: NodeMachine;

  before(async () => {
    machine = await NodeMachine.create();
  });
  after(() => NodeMachine.remove());

  it("reach the program as they were written", async () => {
    const values = [
      "2h",
      "2h 30m",
      "a b='c' \"d\" $HOME ; z",
      "2 --profiling=true",
      ";",
      "it's",
      "C:\\",
      "\\n\\",
      `$HOME $${"{HOME}"} $$ $`,
      "%n of 100% %%",
      "a\tb\u0001\u007f",
      "# größe 日本",
      "",
    ];
    const flags = Object.fromEntries(values.map((value, index) => [`f${index}`, value]));
    const written = "/run/arguments";
    const program = "/usr/local/bin/arguments";
    const text = unit({
      Unit: { Description: "arguments" },
      Service: {
        Type: "oneshot",
        ExecStart: commandLine(program, flags),
      },
      Install: { WantedBy: "multi-user.target" },
    });
    const place = (path: string, mode: string, content: string) =>
      machine.output(`install -m ${mode} /dev/stdin ${path}`, content);
    await place(program, "0755", `#!/bin/sh\nprintf '%s\\0' "$@" >${written}\n`);
    await place("/etc/systemd/system/arguments.service", "0644", text);
    await machine.output("systemctl daemon-reload && systemctl start arguments.service");
    const got = (await machine.output(`base64 ${written}`)).trim();
    assert.deepEqual(Buffer.from(got, "base64").toString().split("\0"), [
      ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
      "",
    ]);
  });
});
