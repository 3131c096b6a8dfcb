/** Writes the files that an update of a stack would leave on its machines to `plan/<stack>`, and prints the changes: `write-plan.ts <stack>`. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { argv, exit } from "node:process";
import { execa } from "execa";
import { certificateEnds } from "./ends.ts";
import { orderOf } from "./order.ts";
import { pageOf } from "./page/page.ts";
import { planOf } from "./plan.ts";
import type { PreviewStep } from "./steps.ts";
import { summary } from "./summary.ts";
import { treeOf } from "./tree.ts";

interface Preview {
  readonly steps?: readonly PreviewStep[];
  readonly diagnostics?: readonly { readonly severity: string; readonly message: string }[];
}

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: write-plan.ts <stack>");
  exit(2);
}

const steps = await preview(stack);
const plan = planOf(steps);
const folder = join("plan", stack);
const draft = join("plan", `.${stack}`);
rmSync(draft, { recursive: true, force: true });
for (const [path, text] of treeOf(plan)) {
  mkdirSync(dirname(join(draft, path)), { recursive: true });
  writeFileSync(join(draft, path), text);
}
mkdirSync(draft, { recursive: true });
const order = orderOf(steps, plan);
const certificates = certificateEnds(steps);
writeFileSync(join(draft, "index.html"), pageOf({ stack, plan, order, certificates }));
rmSync(folder, { recursive: true, force: true });
renameSync(draft, folder);
for (const line of summary(plan)) console.log(line);
console.error(`written to ${folder}; a page to look at: ${join(folder, "index.html")}`);

/** The steps of a preview, in which secrets are hidden; a failed preview ends this program. */
async function preview(stack: string): Promise<readonly PreviewStep[]> {
  const args = ["preview", "--json", "--show-sames", "--non-interactive", "--stack", stack];
  const { exitCode, stdout, stderr } = await execa("pulumi", args, {
    maxBuffer: Number.POSITIVE_INFINITY,
    reject: false,
  });
  const said = parsed(stdout);
  if (exitCode === 0 && said?.steps) return said.steps;
  const errors = said?.diagnostics?.filter(({ severity }) => severity === "error") ?? [];
  const messages = [...errors.map(({ message }) => message.trim()), stderr.trim()];
  console.error(messages.filter((message) => message !== "").join("\n"));
  exit(1);
}

function parsed(text: string): Preview | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
