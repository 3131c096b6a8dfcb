import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { describeBundle, describeService, type Service } from "../node/description.ts";
import { certificateEnds } from "../operations/plan/ends.ts";
import { type Act, orderOf } from "../operations/plan/order.ts";
import { changedLines, lineChanges } from "../operations/plan/page/line-changes.ts";
import { pageOf } from "../operations/plan/page/page.ts";
import { planOf } from "../operations/plan/plan.ts";
import type { PreviewStep, ResourceState } from "../operations/plan/steps.ts";
import { summary } from "../operations/plan/summary.ts";
import { treeOf } from "../operations/plan/tree.ts";
import { Browser, chromium } from "./support/browser.ts";
import { firstUpdate } from "./support/program.ts";

const pageFor = (steps: readonly PreviewStep[]) => {
  const plan = planOf(steps);
  const [order, certificates] = [orderOf(steps, plan), certificateEnds(steps)];
  return pageOf({ stack: "local", plan, order, certificates });
};

function recorded(name: string): PreviewStep[] {
  return JSON.parse(readFileSync(new URL(`./recorded/${name}.json`, import.meta.url), "utf8"));
}

const unescaped = (html: string) =>
  html
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");

/** The lines of a page that `make plan` prints, in any order. */
function linesIn(page: string): string[] {
  return [...page.matchAll(/ data-line[^>]*>([^<]*)</g)].map(([, text]) => unescaped(text!)).sort();
}

/** The texts before and after of each changed file in a page, by machine and path. */
function filesIn(page: string): Map<string, { before?: string; after?: string }> {
  const { texts, files } = JSON.parse(/id=":data">(.*)<\/script>/.exec(page)![1]!) as {
    texts: string[];
    files: number[][];
  };
  return new Map(
    [...page.matchAll(/class="file" id="([^"]*)" data-file="(\d+)"/g)].map(([, id, index]) => {
      const [before, after] = files[Number(index)]!.map((at) => texts[at]);
      return [
        unescaped(id!),
        { ...(before !== undefined && { before }), ...(after !== undefined && { after }) },
      ];
    }),
  );
}

const type = "command:remote:Command";
const urnOf = (name: string, kind = type) =>
  `urn:pulumi:local::kthw::kthw:index:Clocks$${kind}::${name}`;

interface Placing {
  readonly op?: string;
  readonly text?: string;
  readonly former?: string;
  readonly after?: readonly string[];
}

/** A step that puts the service `clock` with one file on a machine. */
function clock(
  machine: string,
  { op = "update", text = "CET\n", former = "UTC\n", after = [] }: Placing = {},
) {
  const state = (text: string): ResourceState => {
    const service: Service = {
      name: "clock",
      unit: "clock.service",
      files: [
        { path: "/etc/systemd/system/clock.service", text: "[Unit]\n" },
        { path: "/etc/zone", text },
      ],
    };
    return {
      urn: urnOf(`${machine}:clock`),
      type,
      inputs: { create: "kthw-node apply", update: text, stdin: describeService(service) },
      dependencies: after,
    };
  };
  return {
    op,
    urn: urnOf(`${machine}:clock`),
    ...(op !== "create" && { oldState: state(former) }),
    ...(op !== "delete" && { newState: state(text) }),
  } satisfies PreviewStep;
}

describe("the page of a plan", () => {
  const changes = [
    "added-machine",
    "changed-line",
    "machine-made-anew",
    "removed-machine",
    "renewed-certificate",
    "reassert",
  ];
  for (const name of ["first-update", ...changes])
    it(`says what make plan prints: ${name}`, () => {
      const steps = recorded(name);
      const said = summary(planOf(steps)).map((line) => line.trimStart());
      assert.deepEqual(linesIn(pageFor(steps)), said.sort());
    });

  it("has the files that make plan writes", () => {
    const steps = recorded("first-update");
    const tree = treeOf(planOf(steps));
    const files = filesIn(pageFor(steps));
    assert.ok(files.size >= 20);
    for (const [path, { before, after }] of files) {
      assert.equal(before, undefined);
      assert.equal(after, tree.get(path), path);
    }
  });

  it("has both texts of a changed file, each text once, and counts the machines with the same change", () => {
    const page = pageFor([clock("m1"), clock("m2"), clock("m3", { text: "EET\n" })]);
    const files = filesIn(page);
    assert.deepEqual(files.get("m1/etc/zone"), { before: "UTC\n", after: "CET\n" });
    assert.deepEqual(files.get("m3/etc/zone"), { before: "UTC\n", after: "EET\n" });
    assert.equal(page.match(/"UTC\\n"/g)?.length, 1);
    const note = (machine: string) =>
      new RegExp(`id="${machine}/etc/zone".*?</summary>`)
        .exec(page)![0]
        .includes("the same on 1 other machine");
    assert.deepEqual(["m1", "m2", "m3"].map(note), [true, true, false]);
  });

  it("tells another mode and owner", () => {
    const step = clock("m1", { text: "UTC\n" });
    const other = (state: ResourceState) => ({
      ...state,
      inputs: {
        ...state.inputs,
        stdin: String(state.inputs!["stdin"]).replace(/(zone) 0644 root/, "$1 0640 kube"),
      },
    });
    assert.match(
      pageFor([{ ...step, newState: other(step.newState!) }]),
      /0644 root:root → 0640 kube:root/,
    );
  });

  it("takes the text of a file for text", () => {
    const text = '</script><script>alert("&")</script><!-- <b>\n';
    const page = pageFor([clock("m1", { text })]);
    assert.equal(filesIn(page).get("m1/etc/zone")!.after, text);
    assert.equal(page.match(/<script/g)?.length, 2);
  });

  it("needs nothing else, and lets a browser run nothing else", () => {
    const page = pageFor([clock("m1")]);
    assert.doesNotMatch(
      page.replace(/<script type="application.*?<\/script>/s, ""),
      /(src|href)="(?!#)|url\(|@import/,
    );
    assert.match(
      page,
      /default-src 'none'; style-src 'sha256-[\w+/=]+'; script-src 'sha256-[\w+/=]+'"/,
    );
  });

  it("has no secret, even of a preview that shows them", () => {
    const canary = "canary-in-a-coal-mine";
    const text = describeBundle({
      name: "clock",
      files: [{ path: "/etc/clock.key", text: `${canary}\n` }],
    });
    const outline = describeBundle({
      name: "clock",
      files: [{ path: "/etc/clock.key", text: "" }],
    });
    const bundle: ResourceState = {
      urn: urnOf("m1:clock-pki"),
      type,
      inputs: {
        create: `kthw-node apply\n${outline.replaceAll(/^(?=.)/gm, "# ")}`,
        connection: { privateKey: canary },
        environment: { NODES: "m1", PASSWORD: canary },
        stdin: text,
      },
      outputs: { stdin: text, stdout: canary },
    };
    const key: ResourceState = {
      urn: urnOf("m1:clock-key", "tls:index/privateKey:PrivateKey"),
      type: "tls:index/privateKey:PrivateKey",
      outputs: { privateKeyPem: canary },
    };
    const both = (state: ResourceState): PreviewStep => ({
      op: "update",
      urn: state.urn,
      oldState: state,
      newState: { ...state, inputs: { ...state.inputs, stdin: `${text}# ${canary}` } },
      diffReasons: ["stdin"],
    });
    const page = pageFor([clock("m1"), both(bundle), both(key), ...recorded("first-update")]);
    assert.match(page, /bundle clock: some of its 1 file/);
    assert.ok(!page.includes(canary));
  });

  it("of 100 machines has at most 5 MB", async () => {
    const page = pageFor(await hundredMachines());
    console.log(`      ${(page.length / 1e6).toFixed(1)} MB`);
    assert.ok(Buffer.byteLength(page) <= 5e6, `${page.length}`);
    assert.equal(page.match(/<details class="machine"/g)?.length, 100);
  });
});

let hundred: Promise<PreviewStep[]> | undefined;

/** The first update of 100 machines: that of the default stack, with its first worker 95 times. */
function hundredMachines(): Promise<PreviewStep[]> {
  hundred ??= firstUpdate().then(({ graph }) => {
    const steps = graph.resources.map(
      ({ urn, type, inputs, dependsOn }): PreviewStep => ({
        op: "create",
        urn,
        newState: { urn, type, inputs, dependencies: dependsOn },
      }),
    );
    const text = JSON.stringify(steps.filter(({ urn }) => /::worker1(:|$)/.test(urn)));
    const more = Array.from({ length: 94 }, (_, index): PreviewStep[] =>
      JSON.parse(text.replaceAll("worker1", `worker${index + 3}`)),
    );
    return [...steps, ...more.flat()];
  });
  return hundred;
}

describe("the changes of lines", () => {
  const texts = fc
    .array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 })
    .map((lines) => lines.map((line) => `${line}\n`).join(""));

  it("lead from one text to the other", () => {
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const changes = lineChanges(before, after);
        const lines = before.split("\n").slice(0, -1);
        const added = changedLines(before, after, changes).filter((line) => line.startsWith("+"));
        const rebuilt: string[] = [];
        let at = 0;
        for (let index = 0; index < changes.length; index += 3) {
          const [same, removed, count] = changes.slice(index, index + 3) as [
            number,
            number,
            number,
          ];
          rebuilt.push(
            ...lines.slice(at, at + same),
            ...added.splice(0, count).map((line) => line.slice(1)),
          );
          at += same + removed;
        }
        assert.equal(at, lines.length);
        assert.equal(rebuilt.map((line) => `${line}\n`).join(""), after);
      }),
    );
  });
});

describe("the order of a plan", () => {
  const turnsOf = (steps: readonly PreviewStep[]) =>
    orderOf(steps, planOf(steps)).map((turn) =>
      turn.map(({ machine, what }) => `${machine} ${what}`),
    );
  const gate = (name: string, after: readonly string[]): PreviewStep => {
    const state = {
      urn: urnOf(name),
      type,
      inputs: { create: "kthw-node wait clock" },
      dependencies: after,
    };
    return { op: "same", urn: state.urn, oldState: state, newState: state };
  };

  it("puts what waits behind what it waits for, through gates and what stays", () => {
    const steps = [
      clock("m3", { after: [urnOf("m2:healthy")] }),
      gate("m2:healthy", [urnOf("m2:clock")]),
      clock("m2", { op: "same", text: "UTC\n", after: [urnOf("m1:clock")] }),
      clock("m1"),
      clock("m4"),
    ];
    assert.deepEqual(turnsOf(steps), [
      ["m1 restart clock.service", "m4 restart clock.service"],
      ["m3 restart clock.service"],
    ]);
    const [, [act]] = orderOf(steps, planOf(steps)) as [Act[], Act[]];
    assert.deepEqual(
      act!.after.map(({ machine }) => machine),
      ["m1"],
    );
  });

  it("removes at the end, and first what depends on others", () => {
    const steps = [
      clock("m1", { op: "delete" }),
      clock("m2", { op: "delete", after: [urnOf("m1:clock")] }),
      clock("m3"),
    ];
    assert.deepEqual(turnsOf(steps), [
      ["m3 restart clock.service"],
      ["m2 stop clock.service"],
      ["m1 stop clock.service"],
    ]);
  });

  it("drains a Node before its services change, and puts it back afterwards", () => {
    const turn = (verb: string, after: readonly string[]): PreviewStep => {
      const kind = "command:local:Command";
      const urn = urnOf(`m1:${verb}-1.37`, kind);
      const inputs = {
        create: `components/node-turn.sh ${verb} || exit`,
        environment: { NODE: "m1" },
      };
      return { op: "create", urn, newState: { urn, type: kind, inputs, dependencies: after } };
    };
    const drain = turn("drain", []);
    const steps = [
      turn("return", [urnOf("m1:healthy")]),
      gate("m1:healthy", [urnOf("m1:clock")]),
      clock("m1", { after: [drain.urn] }),
      drain,
    ];
    assert.deepEqual(turnsOf(steps), [
      ["m1 drain"],
      ["m1 restart clock.service"],
      ["m1 put back into service"],
    ]);
    assert.equal(
      summary(planOf(steps))[0],
      "m1: drained and put back into service, 1 file changed, 1 service restarted",
    );
  });

  it("begins with the machines, and starts the members of a new etcd at the same time", async () => {
    const turns = turnsOf(await hundredMachines());
    assert.ok(turns[0]!.includes("worker96 made"));
    const at = (what: string) => turns.findIndex((turn) => turn.includes(what));
    assert.ok(at("cp1 made") < at("cp1 agent") && at("cp1 agent") < at("cp1 binaries and images"));
    assert.ok(at("cp1 binaries and images") < at("cp1 start etcd.service"));
    assert.equal(at("cp1 start etcd.service"), at("cp2 start etcd.service"));
    assert.ok(at("cp3 start etcd.service") < at("cp1 start kube-apiserver.service"));
  });
});

describe("the ends of certificates", () => {
  const pem = readFileSync(new URL("./support/certificate.pem", import.meta.url), "utf8");
  const kind = "tls:index/locallySignedCert:LocallySignedCert";
  const state = (name: string): ResourceState => ({
    urn: urnOf(name, kind),
    type: kind,
    inputs: { validityPeriodHours: 8760 },
    outputs: { certPem: pem },
  });
  const step = (op: string, name: string): PreviewStep => ({
    op,
    urn: urnOf(name, kind),
    ...(op !== "create" && { oldState: state(name) }),
    ...(op !== "delete" && { newState: state(name) }),
  });
  const request: PreviewStep = {
    op: "create",
    urn: urnOf("new-request", "tls:index/certRequest:CertRequest"),
    newState: {
      urn: urnOf("new-request", "tls:index/certRequest:CertRequest"),
      type: "tls:index/certRequest:CertRequest",
      inputs: { subject: { commonName: "system:node:m1", organization: "system:nodes" } },
    },
  };

  it("are those of the state, and those that the update leaves", () => {
    const ends = certificateEnds([
      step("create", "new"),
      request,
      step("same", "kept"),
      step("delete", "gone"),
      step("delete-replaced", "renewed"),
      step("replace", "renewed"),
      step("create-replacement", "renewed"),
    ]);
    const end = "2126-10-28";
    assert.deepEqual(
      ends.map((one) => [
        one.name,
        one.subject,
        one.end?.toISOString().slice(0, 10),
        one.change,
        one.validHours,
      ]),
      [
        ["gone", "test-ca", end, "removed", undefined],
        ["kept", "test-ca", end, "stays", undefined],
        ["renewed", "test-ca", end, "renewed", 8760],
        ["new", "system:node:m1, system:nodes", undefined, "new", 8760],
      ],
    );
  });
});

describe("the page of a plan in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "kthw-page-"));
  let browser: Browser;
  const write = (steps: readonly PreviewStep[]) => {
    const file = join(folder, "index.html");
    writeFileSync(file, pageFor(steps));
    return pathToFileURL(file).href;
  };
  const long = (zone: string) => `${"line\n".repeat(20)}zone ${zone}\n${"line\n".repeat(20)}`;
  const change = () =>
    write([
      clock("m1", { former: long("UTC"), text: long("CET") }),
      clock("m2"),
      clock("m3", { op: "same", text: "UTC\n" }),
    ]);
  const shown = (selector: string) =>
    browser.evaluate<string[]>(
      `[...document.querySelectorAll(${JSON.stringify(selector)})].filter((one) => one.checkVisibility()).map((one) => one.textContent)`,
    );

  before(async function () {
    if (!existsSync(chromium) && !process.env["CI"]) this.skip();
    browser = await Browser.start();
    await browser.look({ width: 1200, dark: false });
  });

  after(async () => {
    await browser?.stop();
    rmSync(folder, { recursive: true });
  });

  it("is folded, without a complaint and without a request", async () => {
    browser.requests.length = 0;
    await browser.open(change());
    assert.deepEqual(await shown(".machine > summary, p.machine"), [
      "m1: 1 file changed, 1 service restarted",
      "m2: 1 file changed, 1 service restarted",
      "m3: no change",
    ]);
    assert.deepEqual(await shown(".machine li"), []);
    assert.deepEqual(browser.complaints, []);
    assert.deepEqual(
      browser.requests.filter((url) => !url.startsWith("file:") && url !== "about:blank"),
      [],
    );
  });

  it("follows a link to a line, and shows it beside the line before", async () => {
    await browser.open(`${change()}#m1/etc/zone:21`);
    assert.deepEqual(await shown("tr.target td"), ["", "zone UTC", "", "zone CET"]);
    assert.deepEqual(await shown(".target b"), ["UTC", "CET"]);
    assert.deepEqual(await shown(".gap"), ["17 unchanged lines", "17 unchanged lines"]);
    await browser.evaluate(`location.hash = "#m1/etc/zone:-2"`);
    await browser.settle();
    assert.equal((await shown("table.lines tr")).length, 41);
  });

  it("searches in texts of files, and shows what is found", async () => {
    await browser.open(`${change()}#`);
    await browser.press("/", ..."zone utc");
    assert.deepEqual(await shown(".machine > summary"), [
      "m1: 1 file changed, 1 service restarted",
    ]);
    assert.deepEqual(await shown("mark"), ["zone UTC"]);
    assert.deepEqual(await shown("output"), ["1 found"]);
    assert.equal(await browser.evaluate("location.hash"), "#?zone%20utc");
    await browser.press("Escape");
    assert.equal((await shown(".machine")).length, 3);
  });

  it("is walked through and unfolded by keys", async () => {
    await browser.open(change());
    await browser.press("j", "j", "k", "Enter", "j", "Enter");
    assert.deepEqual(await shown("table.lines td.added"), ["zone CET"]);
    await browser.press("f");
    assert.deepEqual(await shown("table.lines"), []);
    await browser.press("u");
    assert.deepEqual(await shown("table.lines td.added"), ["zone CET", "CET"]);
  });

  it("fits a narrow window, is dark where that is wished, and light on paper", async () => {
    const background = () =>
      browser.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    await browser.open(change());
    await browser.press("u");
    const light = await background();
    await browser.look({ width: 380, dark: true });
    assert.ok(await browser.evaluate("document.documentElement.scrollWidth <= innerWidth"));
    assert.notEqual(await background(), light);
    await browser.look({ width: 800, dark: true, media: "print" });
    assert.equal(await background(), light);
    assert.deepEqual(await shown("nav"), []);
    assert.deepEqual(await shown("table.lines td.added"), ["zone CET", "CET"]);
    await browser.look({ width: 1200, dark: false });
  });

  it("shows 100 machines folded", async () => {
    await browser.open(write(await hundredMachines()));
    const paint = await browser.evaluate<number>(
      `performance.getEntriesByName("first-contentful-paint")[0].startTime`,
    );
    console.log(`      first paint after ${paint.toFixed(0)} ms`);
    assert.equal((await shown(".machine > summary")).length, 100);
    assert.deepEqual(await shown(".machine li"), []);
  });
});
