/** A resource as `pulumi stack export` and `pulumi preview --json` show it. */
export interface ResourceState {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** One line of a preview. */
export interface PreviewStep {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: ResourceState;
  readonly newState?: ResourceState;
}

/** A line that a preview adds or takes away. */
export interface LineChange {
  readonly resource: string;
  readonly sign: "+" | "-";
  readonly line: string;
}

/** The name that a resource has in the program. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** Steps of a preview that do something. */
export function effective(steps: readonly PreviewStep[]): PreviewStep[] {
  return steps.filter(({ op }) => !["same", "read", "refresh"].includes(op));
}

/**
 * The files that a preview says will change, as `machine path`. Those of a bundle are secret and
 * may not be known before the update; then they are looked up in what the update made of it.
 */
export function listedFiles(
  steps: readonly PreviewStep[],
  updated: readonly ResourceState[],
): string[] {
  const listed = effective(steps).flatMap(({ urn, op, oldState, newState }) => {
    const made = updated.find((state) => state.urn === urn);
    const before = op === "create" ? new Map() : describedFiles(oldState);
    const after = op === "delete" ? new Map() : describedFiles(isKnown(newState) ? newState : made);
    const paths = new Set([...before.keys(), ...after.keys()]);
    const machine = nameOf(urn).split(":")[0];
    return [...paths]
      .filter((path) => before.get(path) !== after.get(path))
      .map((path) => `${machine} ${path}`);
  });
  return [...new Set(listed)].sort();
}

/** Lines of the commands' standard input that a preview changes. */
export function changedLines(steps: readonly PreviewStep[]): LineChange[] {
  return effective(steps).flatMap(({ urn, oldState, newState }) => {
    const before = stdin(oldState).split("\n");
    const after = stdin(newState).split("\n");
    const only = (sign: "+" | "-", lines: string[], others: string[]) =>
      lines
        .filter((line) => !others.includes(line))
        .map((line) => ({ resource: nameOf(urn), sign, line: line.trim() }));
    return [...only("-", before, after), ...only("+", after, before)];
  });
}

function stdin(state: ResourceState | undefined): string {
  const text = state?.inputs?.stdin;
  if (typeof text === "string") return text;
  // An export shows a secret as JSON within JSON.
  const { plaintext } = (text ?? {}) as { plaintext?: string };
  return plaintext === undefined ? "" : String(JSON.parse(plaintext));
}

function isKnown(state: ResourceState | undefined): boolean {
  return /^(service|bundle|artifact|#!)/.test(stdin(state));
}

/** The files that a command to a machine describes, by path, with all that is said of each. */
function describedFiles(state: ResourceState | undefined): Map<string, string> {
  const files = new Map<string, string>();
  if (state?.type !== "command:remote:Command") return files;
  const place = /\/dev\/stdin (\S+)/.exec(String(state.inputs?.create));
  if (place) return files.set(place[1]!, stdin(state));
  let current: string | undefined;
  let binaries = "";
  let sum = "";
  for (const line of stdin(state).split("\n")) {
    const [word, ...rest] = line.trim().split(" ") as [string, ...string[]];
    if (line.startsWith("  ") || line === "") {
      if (current !== undefined) files.set(current, `${files.get(current)}\n${line}`);
      else if (binaries !== "" && line !== "") {
        files.set(`${binaries}/${rest[0]}`, sum).set(`${binaries}/.${rest[0]}.sum`, sum);
      }
      continue;
    }
    current = undefined;
    binaries = "";
    if (word === "file") {
      current = rest[0]!;
      files.set(current, rest.join(" "));
    } else if (word === "unit") {
      files.set(`/etc/systemd/system/multi-user.target.wants/${rest[0]}`, "enabled");
    } else if (word === "artifact") {
      binaries = `/opt/kthw/${rest[0]}/${rest[1]}`;
      sum = rest[3]!;
    } else if (word === "image") {
      const archive = `/opt/kthw/images/${rest[1]!.slice(rest[1]!.lastIndexOf("/") + 1)}`;
      for (const suffix of ["", ".name", ".sum"]) files.set(archive + suffix, rest[2]!);
    } else if (word === "link") files.set(rest[0]!, rest[1]!);
  }
  return files;
}
