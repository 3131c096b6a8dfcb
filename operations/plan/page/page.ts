import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { CertificateEnd } from "../ends.ts";
import type { Act } from "../order.ts";
import type { BundleChange, FileChange, Plan, ServiceChange } from "../plan.ts";
import {
  bundleLine,
  count,
  counts,
  done,
  fileLine,
  type MachineSummary,
  serviceLine,
  signs,
  summaryOf,
} from "../summary.ts";
import { changedLines, lineChanges } from "./line-changes.ts";

/** What a page shows. */
export interface PageContent {
  readonly stack: string;
  readonly plan: Plan;
  /** The acts of the update in turns. */
  readonly order: readonly (readonly Act[])[];
  readonly certificates: readonly CertificateEnd[];
}

/**
 * A plan as one HTML file that needs nothing else. Without its script the page says what `make plan` prints; the script shows the
 * lines of files, which the page holds as data, and searches.
 */
export function pageOf({ stack, plan, order, certificates }: PageContent): string {
  const summaries = new Map([...plan].map(([name, machine]) => [name, summaryOf(name, machine)]));
  const data = dataOf(plan, summaries);
  const style = read("page.css");
  const script = read("page.js");
  const title = `Plan of stack ${stack}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${digest(style)}'; script-src '${digest(script)}'">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escaped(title)}</h1>
<p>${escaped(totals(plan, summaries))}</p>
<nav>
<a href="#:machines">Machines</a> <a href="#:order">Order</a> <a href="#:certificates">Certificates</a>
<label>Search <input type="search" id=":search" aria-keyshortcuts="/"></label> <output id=":found"></output>
<button type="button" id=":unfold">Unfold changes</button> <button type="button" id=":fold">Fold all</button>
</nav>
</header>
<main>
<section id=":machines">
<h2>Machines</h2>
${[...summaries].map(([name, summary]) => machineHtml(name, summary, data)).join("\n")}
</section>
<section id=":order">
<h2>Order</h2>
<p>Each turn waits for turns above, but only as its lines say; what has nothing to wait for goes on.</p>
<ol>
${order.map(turnHtml).join("\n")}
</ol>
</section>
<section id=":certificates">
<h2>Certificates</h2>
<p>Ends are those before the update.</p>
<table>
<thead><tr><th>Certificate</th><th>Subject</th><th>Ends</th><th>The update</th></tr></thead>
<tbody>
${certificates.map(certificateHtml).join("\n")}
</tbody>
</table>
</section>
</main>
<footer>Keys: <kbd>/</kbd> search, <kbd>Esc</kbd> ends it, <kbd>j</kbd> <kbd>k</kbd> next and previous, <kbd>Enter</kbd> unfolds, <kbd>u</kbd> unfolds all changes, <kbd>f</kbd> folds all. A click on the number of a line makes a link to the line. What is unfolded is printed.</footer>
<script type="application/json" id=":data">${JSON.stringify({ texts: data.texts, files: data.files }).replaceAll("<", "\\u003c")}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

/** The texts of the files that change, each text once. */
interface PageData {
  readonly texts: readonly string[];
  /** Indices of the texts before and after, -1 for none, and the changes of lines between the two. */
  readonly files: readonly (readonly number[])[];
  /** The index of a file in `files`. */
  readonly indexOf: (change: FileChange) => number;
  /** How many other machines have the same change of the same file. */
  readonly others: (change: FileChange) => number;
}

function dataOf(plan: Plan, summaries: ReadonlyMap<string, MachineSummary>): PageData {
  const texts = new Map<string, number>();
  const textAt = (text: string) => {
    if (!texts.has(text)) texts.set(text, texts.size);
    return texts.get(text)!;
  };
  const diffs = new Map<string, { readonly index: number; readonly lines: string }>();
  const files: number[][] = [];
  const found = new Map<FileChange, { readonly index: number; readonly key: string }>();
  const machines = new Map<string, number>();
  for (const name of plan.keys())
    for (const change of summaries.get(name)!.files) {
      const { sign, path, file, former } = change;
      const [before, after] = [sign === "-" ? file : former, sign === "-" ? undefined : file];
      const at = [before, after].map((one) => (one === undefined ? -1 : textAt(one.text)));
      const pair = at.join(" ");
      if (!diffs.has(pair)) {
        const changes = before && after ? lineChanges(before.text, after.text) : [];
        const lines =
          before && after ? changedLines(before.text, after.text, changes).join("\n") : pair;
        diffs.set(pair, { index: files.push([...at, ...changes]) - 1, lines });
      }
      const { index, lines } = diffs.get(pair)!;
      const key = [sign, path, modeOf(change), lines].join("\n");
      found.set(change, { index, key });
      machines.set(key, (machines.get(key) ?? 0) + 1);
    }
  return {
    texts: [...texts.keys()],
    files,
    indexOf: (change) => found.get(change)!.index,
    others: (change) => machines.get(found.get(change)!.key)! - 1,
  };
}

function totals(plan: Plan, summaries: ReadonlyMap<string, MachineSummary>): string {
  const changing = [...plan.keys()].filter(
    (name) => !summaries.get(name)!.title.endsWith(": no change"),
  );
  const all = [...summaries.values()];
  const says = [
    ...counts(
      all.flatMap(({ files }) => files),
      "file",
      ({ sign }) => signs[sign],
    ),
    ...counts(
      all.flatMap(({ bundles }) => bundles),
      "bundle",
      () => "changed",
    ),
    ...counts(
      all.flatMap(({ services }) => services),
      "service",
      ({ action }) => done[action],
    ),
  ];
  return [`${count(plan.size, "machine")}, ${changing.length} with changes`, ...says].join("; ");
}

function machineHtml(
  name: string,
  { title, files, bundles, services }: MachineSummary,
  data: PageData,
): string {
  const id = escaped(name);
  if (files.length + bundles.length + services.length === 0)
    return `<p class="machine" id="${id}" data-line>${escaped(title)}</p>`;
  return `<details class="machine" id="${id}"><summary data-line>${escaped(title)}</summary>
<ul>
${[
  ...services.map(serviceHtml),
  ...bundles.map(bundleHtml),
  ...files.map((change) => fileHtml(name, change, data)),
].join("\n")}
</ul>
</details>`;
}

function serviceHtml(service: ServiceChange): string {
  return `<li class="${service.action}" data-line>${escaped(serviceLine(service))}</li>`;
}

function bundleHtml(bundle: BundleChange): string {
  const files = bundle.files.map((path) => `<li>${escaped(path)}</li>`).join("");
  return `<li><details class="bundle"><summary data-line>${escaped(bundleLine(bundle))}</summary><ul>${files}</ul></details></li>`;
}

function fileHtml(name: string, change: FileChange, data: PageData): string {
  const others = data.others(change);
  const notes = [
    ...modeOf(change),
    ...(others > 0 ? [`the same on ${count(others, "other machine")}`] : []),
  ].join("; ");
  const id = escaped(`${name}${change.path}`);
  const note = notes === "" ? "" : ` <small>${escaped(notes)}</small>`;
  return `<li><details class="file" id="${id}" data-file="${data.indexOf(change)}"><summary><span data-line class="${signs[change.sign]}">${escaped(fileLine(change))}</span>${note}</summary></details></li>`;
}

/** The mode and owner of a file that is added, or how they change. */
function modeOf({ sign, file, former }: FileChange): string[] {
  if (file.kind === "link" || sign === "-") return [];
  const now = `${file.mode} ${file.owner}`;
  if (former === undefined) return [now];
  const before = `${former.mode} ${former.owner}`;
  return before === now ? [] : [`${before} → ${now}`];
}

function turnHtml(turn: readonly Act[]): string {
  const acts = turn.map((act) => {
    const after = act.after.length > 0 ? `after ${groupsOf(act.after)}` : "";
    const when = act.last ? ["at the end of the update", after].filter(Boolean).join(", ") : after;
    return `<li><a href="#${escaped(act.machine)}">${escaped(act.machine)}</a>: ${escaped(act.what)}${when && ` <small>${escaped(when)}</small>`}</li>`;
  });
  return `<li><details><summary>${escaped(groupsOf(turn))}</summary><ul>${acts.join("")}</ul></details></li>`;
}

/** How many machines of a group are named. */
const named = 6;

/** Acts by what they do, such as `restart kubelet.service on worker1, worker2`. */
function groupsOf(acts: readonly Act[]): string {
  const groups = new Map<string, string[]>();
  for (const { what, machine } of acts) groups.set(what, [...(groups.get(what) ?? []), machine]);
  return [...groups]
    .map(([what, machines]) => {
      const rest = machines.length - named;
      const more = rest > 0 ? ` and ${count(rest, "other")}` : "";
      return `${what} on ${machines.slice(0, named).join(", ")}${more}`;
    })
    .join("; ");
}

function certificateHtml({ name, subject, end, change, validHours }: CertificateEnd): string {
  const hours = validHours === undefined ? "" : ` valid for ${validHours} hours`;
  const cells = [
    name,
    subject,
    end?.toISOString().slice(0, 10) ?? "",
    updates[change] + (hours && `,${hours}`),
  ];
  return `<tr class="${change}">${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
}

const updates = {
  stays: "leaves it",
  new: "makes it",
  renewed: "renews it",
  removed: "removes it",
} as const;

function read(file: string): string {
  return readFileSync(new URL(file, import.meta.url), "utf8");
}

/** The digest by which the page's policy lets a browser take a style or script, and no other. */
function digest(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
