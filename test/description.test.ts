import { strict as assert } from "node:assert";
import fc from "fast-check";
import { describeBundle, describeService } from "../node/description.ts";
import { parseDescription } from "../operations/plan/description.ts";

/** Texts of files, with lines that a careless reader would take for something else. */
const line = fc.oneof(
  fc.constantFrom(
    "",
    " ",
    "  ",
    "\t",
    "file /etc/passwd 0666 root:root",
    "service sshd",
    "unit sshd.service",
    "  file /indented 0644 root:root",
    "health true",
    "# comment",
    "$(reboot) `reboot` $HOME !!",
    'it\'s "quoted" \\',
    "\\n \\\\ \\t",
    "%s %% !",
    "-n",
    "EOF",
  ),
  fc.string({ unit: "binary" }).map((text) => text.replaceAll(/[\0\n]/g, "")),
);
const text = fc.array(line).map((lines) => lines.map((one) => `${one}\n`).join(""));

describe("a description", () => {
  it("reads as what it puts on a machine", () => {
    assert.equal(
      describeService({
        name: "clock",
        packages: ["tzdata"],
        users: ["clock"],
        directories: [{ path: "/var/lib/clock", mode: "0700", owner: "clock:clock" }],
        unit: "clock.service",
        reads: ["/etc/kubernetes/pki/ca.crt"],
        health: "test -S /run/clock.sock",
        reload: "clock --check",
        timeoutSeconds: 90,
        files: [
          { path: "/etc/systemd/system/clock.service", text: "[Unit]\n\n[Service]\n" },
          { path: "/etc/clock", text: "", mode: "0600", owner: "clock:clock" },
          { path: "/etc/zone", text: "UTC\n", live: true },
        ],
      }),
      [
        "service clock",
        "package tzdata",
        "user clock",
        "directory /var/lib/clock 0700 clock:clock",
        "unit clock.service",
        "reads /etc/kubernetes/pki/ca.crt",
        "health test -S /run/clock.sock",
        "reload clock --check",
        "timeout 90",
        "file /etc/systemd/system/clock.service 0644 root:root",
        "  [Unit]",
        "",
        "  [Service]",
        "file /etc/clock 0600 clock:clock",
        "file /etc/zone 0644 root:root live",
        "  UTC",
        "",
      ].join("\n"),
    );
    assert.equal(
      describeBundle({
        name: "clock",
        users: ["clock"],
        directories: [{ path: "/var/lib/clock", mode: "0700", owner: "clock:clock" }],
        files: [{ path: "/etc/clock.key", text: "KEY\n", mode: "0600" }],
      }),
      [
        "bundle clock",
        "user clock",
        "directory /var/lib/clock 0700 clock:clock",
        "file /etc/clock.key 0600 root:root",
        "  KEY",
        "",
      ].join("\n"),
    );
  });

  it("refuses a text whose last line does not end", () => {
    assert.throws(
      () => describeBundle({ name: "clock", files: [{ path: "/etc/clock", text: "UTC" }] }),
      /^Error: \/etc\/clock: its text must end in a newline$/,
    );
  });

  it("keeps every line of every text", () => {
    fc.assert(
      fc.property(fc.array(text), (texts) => {
        const { headers, files } = parseDescription(described(texts));
        assert.deepEqual(headers, ["bundle clock"]);
        assert.deepEqual(
          files.map((file) => file.text),
          texts,
        );
      }),
    );
  });
});

function described(texts: readonly string[]): string {
  return describeBundle({
    name: "clock",
    files: texts.map((text, index) => ({ path: `/etc/clock/${index}`, text })),
  });
}
