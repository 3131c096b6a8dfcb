import { strict as assert } from "node:assert";
import fc from "fast-check";
import {
  type Bundle,
  type Description,
  describeBundle,
  describeService,
  readDescription,
  type Service,
} from "../node/description.ts";
import { type Download, describeDownloads, readDownloads } from "../node/downloads.ts";

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

/** Plain objects with these fields. */
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(fields, { noNullPrototype: true });
/** A word without blanks, as names and paths are. */
const word = fc.stringMatching(/^[!-~]{1,12}$/);
const words = fc.array(word);
/** A shell command, as it stands in one line. */
const command = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
const commands = fc.array(command);
const directories = fc.array(record({ path: word, mode: word, owner: word }));
const files = fc.array(record({ path: word, text, mode: word, owner: word, live: fc.boolean() }));
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

const services: fc.Arbitrary<Description> = record({
  name: word,
  unit: word,
  health: optional(command),
  reload: optional(command),
  timeoutSeconds: optional(fc.nat()),
  requires: commands,
  packages: words,
  masks: words,
  users: words,
  directories,
  reads: words,
  teardown: commands,
  undo: commands,
  data: words,
  files,
} satisfies Record<keyof Service, unknown>).map((service) => {
  const known = Object.entries(service).filter(([, value]) => value !== undefined);
  return { kind: "service", ...Object.fromEntries(known) } as Description;
});
const bundles: fc.Arbitrary<Description> = record({
  name: word,
  users: words,
  directories,
  data: words,
  files,
} satisfies Record<keyof Bundle, unknown>).map((bundle) => ({ kind: "bundle", ...bundle }));

const download: fc.Arbitrary<Download> = fc.oneof(
  record({
    kind: fc.constant("binaries"),
    name: word,
    version: word,
    url: word,
    sum: word,
    members: fc.dictionary(fc.stringMatching(/^[.a-z-]{1,8}$/), word, { noNullPrototype: true }),
  }),
  record({ kind: fc.constant("image"), name: word, url: word, sum: word }),
  record({ kind: fc.constant("link"), path: word, target: word }),
);

describe("a description", () => {
  it("reads as what it puts on a machine", () => {
    assert.equal(
      describeService({
        name: "clock",
        requires: ["test -e /dev/rtc"],
        packages: ["tzdata"],
        masks: ["ntp.service"],
        users: ["clock"],
        directories: [{ path: "/var/lib/clock", mode: "0700", owner: "clock:clock" }],
        unit: "clock.service",
        reads: ["/etc/kubernetes/pki/ca.crt"],
        health: "test -S /run/clock.sock",
        reload: "clock --check",
        timeoutSeconds: 90,
        teardown: ["rm -f /run/clock.sock"],
        undo: ["hwclock --systohc"],
        data: ["/var/lib/clock/cache"],
        files: [
          { path: "/etc/systemd/system/clock.service", text: "[Unit]\n\n[Service]\n" },
          { path: "/etc/clock", text: "", mode: "0600", owner: "clock:clock" },
          { path: "/etc/zone", text: "UTC\n", live: true },
        ],
      }),
      [
        "kthw 2",
        "service clock",
        "requires test -e /dev/rtc",
        "package tzdata",
        "mask ntp.service",
        "user clock",
        "directory /var/lib/clock 0700 clock:clock",
        "unit clock.service",
        "reads /etc/kubernetes/pki/ca.crt",
        "health test -S /run/clock.sock",
        "reload clock --check",
        "timeout 90",
        "teardown rm -f /run/clock.sock",
        "undo hwclock --systohc",
        "data /var/lib/clock/cache",
        "file /etc/systemd/system/clock.service 0644 root:root",
        "  [Unit]",
        "",
        "  [Service]",
        "file /etc/clock 0600 clock:clock",
        "file /etc/zone 0644 root:root live",
        "  UTC",
        "end",
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
        "kthw 2",
        "bundle clock",
        "user clock",
        "directory /var/lib/clock 0700 clock:clock",
        "file /etc/clock.key 0600 root:root",
        "  KEY",
        "end",
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

  it("is read as what was written", () => {
    fc.assert(
      fc.property(fc.oneof(services, bundles), (described) => {
        assert.deepEqual(readDescription(write(described)), described);
      }),
    );
  });

  it("is read as version 1 wrote it, without its first and last line", () => {
    fc.assert(
      fc.property(fc.oneof(services, bundles), (described) => {
        const former = write(described).split("\n").slice(1, -2).join("\n");
        assert.deepEqual(readDescription(`${former}\n`), described);
      }),
    );
  });

  it("is read with every list, and every file whole", () => {
    assert.deepEqual(
      readDescription(
        describeService({
          name: "clock",
          unit: "clock.service",
          files: [{ path: "/etc/zone", text: "UTC\n" }],
        }),
      ),
      {
        kind: "service",
        name: "clock",
        requires: [],
        packages: [],
        masks: [],
        users: [],
        directories: [],
        unit: "clock.service",
        reads: [],
        teardown: [],
        undo: [],
        data: [],
        files: [
          { path: "/etc/zone", text: "UTC\n", mode: "0644", owner: "root:root", live: false },
        ],
      },
    );
  });

  it("is not read when it is cut off, of a later version, or not a description", () => {
    const whole = describeBundle({ name: "clock", files: [{ path: "/etc/zone", text: "UTC\n" }] });
    const lines = whole.trimEnd().split("\n");
    for (let count = 1; count < lines.length; count++)
      assert.throws(() => readDescription(lines.slice(0, count).join("\n")), /it is cut off/);
    assert.throws(
      () => readDescription(whole.replace("kthw 2", "kthw 3")),
      /^Error: a text for kthw-node: its version must be one of 1 to 2, got kthw 3; use /,
    );
    assert.throws(() => readDescription("clock\n"), /names no service or bundle, got clock/);
    assert.throws(() => readDescription("bundle clock\nunit x\n"), /unknown header, got unit x/);
  });
});

describe("a list of downloads", () => {
  it("is read as what was written, and as version 1 wrote it", () => {
    fc.assert(
      fc.property(fc.array(download), (downloads) => {
        const written = describeDownloads(downloads);
        assert.deepEqual(readDownloads(written), downloads);
        if (downloads.length === 0) return;
        const former = written.split("\n").slice(1, -2).join("\n");
        assert.deepEqual(readDownloads(`${former}\n`), downloads);
      }),
    );
  });

  it("is not read when it is cut off", () => {
    const lines = describeDownloads([{ kind: "link", path: "/a", target: "/b" }]).split("\n");
    assert.throws(() => readDownloads(lines.slice(0, 2).join("\n")), /it is cut off/);
  });
});

function write(described: Description): string {
  return described.kind === "service" ? describeService(described) : describeBundle(described);
}
