import { type Placed, type PlacedFile, placed } from "./placed.ts";
import { effective, environmentOf, input, nameOf, type PreviewStep, unknown } from "./steps.ts";

/** What an update does to a machine as a whole. */
export type Fate = "made" | "rebuilt" | "started again" | "lost";

/** A file that an update adds, changes or removes; `?`: a file of a changed bundle, which may change or stay. */
export interface FileChange {
  readonly sign: "+" | "~" | "-" | "?";
  readonly path: string;
  /** The file after the update, or before its removal. */
  readonly file: PlacedFile;
  /** The file before a change. */
  readonly former?: PlacedFile;
  /** Only the mode or owner changes, which does not affect a running service. */
  readonly onlyMode?: true;
}

/** A bundle of secrets of which some files change. */
export interface BundleChange {
  readonly name: string;
  /** The paths of all files in the bundle. */
  readonly files: readonly string[];
  /** Names of the certificates, keys and tokens in the bundle that are renewed. */
  readonly renewed: readonly string[];
}

/** A service that an update starts, restarts, reloads, checks or stops, and the reasons. */
export interface ServiceChange {
  readonly unit: string;
  /** `check`: the service is restarted only if it does not run as described. */
  readonly action: "start" | "restart" | "reload" | "check" | "stop";
  readonly reasons: readonly string[];
  /** Commands that then take back what the former service did. */
  readonly undo?: readonly string[];
}

/** The changes of an update to a machine, and its files afterwards. */
export interface MachinePlan {
  readonly fate?: Fate;
  /** The Node of the machine is drained and leaves the cluster. */
  readonly leaves: boolean;
  /** The Node of the machine is drained, and put back into service with another minor version. */
  readonly turns: boolean;
  /** `kubeadm join` makes the machine a Node. */
  readonly joins: boolean;
  /** All files on the machine afterwards, by path. */
  readonly files: ReadonlyMap<string, PlacedFile>;
  /** Packages, users and folders on the machine afterwards, as lines of a description. */
  readonly prerequisites: readonly string[];
  readonly changes: readonly FileChange[];
  readonly bundles: readonly BundleChange[];
  readonly services: readonly ServiceChange[];
}

/** The plan of each machine, sorted by name. */
export type Plan = ReadonlyMap<string, MachinePlan>;

/** A command on a machine, with the files that it places before and after the update. */
interface Command {
  readonly step: PreviewStep;
  readonly before: Placed | undefined;
  readonly after: Placed | undefined;
}

/** Reads a plan from the steps of a preview, which must include unchanged resources. */
export function planOf(steps: readonly PreviewStep[]): Plan {
  const commands = new Map<string, Command[]>();
  for (const step of steps) {
    const { type } = step.newState ?? step.oldState ?? {};
    const [machine, name] = nameOf(step.urn).split(":");
    if (type !== "command:remote:Command" || name === undefined) continue;
    const before = step.op === "create" ? undefined : placed(step.oldState);
    const after = step.op === "delete" ? undefined : placed(step.newState);
    commands.set(machine!, [...(commands.get(machine!) ?? []), { step, before, after }]);
  }
  const renewed = new Set(
    effective(steps)
      .filter(({ op, urn }) => op !== "delete" && /\$(tls|random):index\//.test(urn))
      .map(({ urn }) => urn),
  );
  const leaving = new Set(effective(steps).flatMap(nodesThatLeave));
  const turning = new Set(effective(steps).flatMap((step) => nodeTurn(step)?.node ?? []));
  return new Map(
    [...commands]
      .sort(([one], [other]) => compare(one, other))
      .map(([name, own]) => {
        const fate = fateOf(name, own, steps);
        const join = own.find(({ step }) => nameOf(step.urn) === `${name}:kubeadm-join`)?.step;
        // A machine that is made has nothing to drain.
        const turns = turning.has(name) && fate !== "made";
        const joins = join?.op === "create" || (join?.op === "update" && fate === "rebuilt");
        return [
          name,
          {
            ...machinePlan(own, fate, renewed),
            leaves: leaving.has(name),
            turns,
            joins,
          },
        ] as const;
      }),
  );
}

/** Names of the Nodes that components/node-membership.sh drains and deletes in a step. */
export function nodesThatLeave({ oldState, newState }: PreviewStep): string[] {
  const [before, after] = [oldState, newState].map((state) => environmentOf(state)["NODES"]);
  if (before === undefined || after === undefined) return [];
  return before.split(" ").filter((node) => !after.split(" ").includes(node));
}

/** The Node that components/node-turn.sh drains or puts back into service in a step. */
export function nodeTurn({
  op,
  newState,
}: PreviewStep): { readonly node: string; readonly verb: "drain" | "return" } | undefined {
  const [, verb] = /components\/node-turn\.sh (drain|return)/.exec(input(newState, "create")) ?? [];
  const { NODE: node } = environmentOf(newState);
  // Once it has run, it is not run again.
  if (op !== "create" || verb === undefined || node === undefined) return undefined;
  return { node, verb: verb as "drain" | "return" };
}

/** The files that a plan adds, changes or removes, as `machine path`, without those of lost machines. */
export function changedPaths(plan: Plan): string[] {
  return [...plan]
    .filter(([, { fate }]) => fate !== "lost")
    .flatMap(([machine, { changes }]) => changes.map(({ path }) => `${machine} ${path}`))
    .sort(compare);
}

function machinePlan(
  commands: readonly Command[],
  fate: Fate | undefined,
  renewed: ReadonlySet<string>,
): Omit<MachinePlan, "leaves" | "turns" | "joins"> {
  const before = filesOf(commands.map((command) => command.before));
  const after = filesOf(commands.map((command) => command.after));
  const changes = fileChanges(commands, before, after);
  return {
    ...(fate !== undefined && { fate }),
    files: after,
    prerequisites: unique(commands.flatMap((command) => command.after?.prerequisites ?? [])),
    changes,
    bundles: commands
      .filter(isChangedBundle)
      .map(({ step, after }) => ({
        name: nameOf(step.urn).split(":")[1]!.replace(/-pki$/, ""),
        files: [...after!.files.keys()].sort(compare),
        renewed: renewedFor(step, "stdin", renewed),
      }))
      .sort((one, other) => compare(one.name, other.name)),
    services: commands
      .flatMap((command) => serviceChange(command, fate, changes, renewed) ?? [])
      .sort((one, other) => compare(one.unit, other.unit)),
  };
}

function fateOf(
  name: string,
  commands: readonly Command[],
  steps: readonly PreviewStep[],
): Fate | undefined {
  // The resource that creates the machine is named like the machine, and so is the component Host, which is left out.
  const ops = effective(steps)
    .filter(({ urn, oldState, newState }) => {
      const { type } = newState ?? oldState ?? {};
      return nameOf(urn) === name && !type?.startsWith("kthw:");
    })
    .map(({ op }) => op);
  if (ops.some((op) => op.includes("replace"))) return "rebuilt";
  if (ops.includes("create")) return "made";
  if (ops.includes("delete")) return "lost";
  if (commands.some(({ step }) => anotherMachine(step))) return "rebuilt";
  return ops.includes("update") ? "started again" : undefined;
}

/** Whether a command runs again because its machine has another id, where both ids are known. */
function anotherMachine(step: PreviewStep): boolean {
  const [before, after] = [step.oldState, step.newState].map(
    (state) => /# machine ([^,]+)/.exec(input(state, "update"))?.[1],
  );
  return before !== undefined && after !== undefined && before !== after;
}

function filesOf(all: readonly (Placed | undefined)[]): Map<string, PlacedFile> {
  const files = all.flatMap((one) => [...(one?.files ?? [])]);
  return new Map(files.sort(([one], [other]) => compare(one, other)));
}

function fileChanges(
  commands: readonly Command[],
  before: ReadonlyMap<string, PlacedFile>,
  after: ReadonlyMap<string, PlacedFile>,
): FileChange[] {
  const secret = filesOf(commands.filter(isChangedBundle).map((command) => command.after));
  // Binaries of former versions stay on a machine.
  const kept = filesOf(
    commands.map(({ before }) => (before?.kind === "downloads" ? before : undefined)),
  );
  const changes: FileChange[] = [];
  for (const [path, file] of after) {
    const former = before.get(path);
    if (former === undefined) changes.push({ sign: "+", path, file });
    else if (former.text !== file.text) changes.push({ sign: "~", path, file, former });
    else if (former.mode !== file.mode || former.owner !== file.owner)
      changes.push({ sign: "~", path, file, former, onlyMode: true });
    else if (secret.has(path)) changes.push({ sign: "?", path, file });
  }
  for (const [path, file] of before)
    if (!after.has(path) && !kept.has(path)) changes.push({ sign: "-", path, file });
  return changes.sort((one, other) => compare(one.path, other.path));
}

function isChangedBundle({ step, before, after }: Command): boolean {
  return (
    before !== undefined &&
    after?.kind === "bundle" &&
    effective([step]).length > 0 &&
    (step.diffReasons?.includes("stdin") ?? false)
  );
}

/** Names of the renewed keys and certificates that an input of a command comes from. */
function renewedFor(step: PreviewStep, input: string, renewed: ReadonlySet<string>): string[] {
  const urns = step.newState?.propertyDependencies?.[input] ?? [];
  return unique(urns.filter((urn) => renewed.has(urn)).map(nameOf));
}

function serviceChange(
  { step, before, after }: Command,
  fate: Fate | undefined,
  changes: readonly FileChange[],
  renewed: ReadonlySet<string>,
): ServiceChange | undefined {
  const unit = after?.unit ?? before?.unit;
  if (unit === undefined || effective([step]).length === 0) return undefined;
  if (after === undefined) return { unit, action: "stop", reasons: ["removed"] };
  if (fate === "rebuilt") return { unit, action: "start", reasons: ["machine made anew"] };
  if (before === undefined) return { unit, action: "start", reasons: ["new"] };

  const certificates = renewedFor(step, "update", renewed).map((name) => `${name} renewed`);
  const restarting = changes.filter(({ onlyMode }) => !onlyMode);
  const own = restarting
    .filter(({ path, file }) => !file.live && (before.files.has(path) || after.files.has(path)))
    .map(reason);
  // A renewed bundle is named by its certificates.
  const read = restarting
    .filter(({ sign }) => sign !== "?" || certificates.length === 0)
    .filter(({ path }) => after.reads.some((one) => path === one || path.startsWith(`${one}/`)))
    .map(reason);
  const reasons = unique([...own, ...read, ...certificates]);
  const undo = before.undo.filter((command) => !after.undo.includes(command));
  if (reasons.length > 0)
    return {
      unit,
      action: after.reloads ? "reload" : "restart",
      reasons,
      ...(undo.length > 0 && { undo }),
    };
  const [was, is] = [step.oldState, step.newState].map((state) => input(state, "update"));
  if (is === unknown)
    return { unit, action: "restart", reasons: ["its certificates are not known yet"] };
  return was === is ? undefined : { unit, action: "check", reasons: ["reassert"] };
}

const verbs = { "+": "added", "~": "changed", "-": "removed", "?": "may change" } as const;

function reason({ sign, path }: FileChange): string {
  return `${path} ${verbs[sign]}`;
}

function unique(lines: readonly string[]): string[] {
  return [...new Set(lines)].sort(compare);
}

/** By code units, in every locale. */
export function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
