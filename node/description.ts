/** A file on a machine. */
export interface File {
  readonly path: string;
  readonly text: string;
  /** @default "0644" */
  readonly mode?: string;
  /** User and group. @default "root:root" */
  readonly owner?: string;
  /** What reads it reads it anew each time, so that a change restarts nothing. */
  readonly live?: boolean;
}

/** A folder on a machine, whose content is nobody's business here. */
export interface Directory {
  readonly path: string;
  readonly mode: string;
  /** User and group. */
  readonly owner: string;
}

/** Files of a service, and how the service that uses them is run. */
export interface Service {
  readonly name: string;
  readonly files: readonly File[];
  /** The systemd unit, one of `files`, that is enabled and started. */
  readonly unit: string;
  /** Files and folders of others whose content it reads when it starts. */
  readonly reads?: readonly string[];
  /** Shell command that succeeds when it is healthy. */
  readonly health?: string;
  /** Shell command that checks new files; they are then reloaded, never restarted for. */
  readonly reload?: string;
  /** How long it may take to get healthy. @default 60 */
  readonly timeoutSeconds?: number;
  /** Shell commands that succeed on a machine that can run it, and else say why not; they are asked before anything is placed. */
  readonly requires?: readonly string[];
  /** Debian packages that it needs. */
  readonly packages?: readonly string[];
  /** Units that come with them and are not wanted: masked, unless they were there before. */
  readonly masks?: readonly string[];
  /** Shell commands that are run when it is removed, once its unit has stopped. */
  readonly teardown?: readonly string[];
  /** Files and folders that it makes itself when it runs, and that nobody needs once it is removed. */
  readonly data?: readonly string[];
  /** System users that it needs. */
  readonly users?: readonly string[];
  readonly directories?: readonly Directory[];
}

/** Keys, certificates and other secrets that change at the same instant. */
export interface Bundle {
  readonly name: string;
  readonly files: readonly File[];
  /** System users that own some of them. */
  readonly users?: readonly string[];
  readonly directories?: readonly Directory[];
  /** Files and folders that go with it, whoever has made them. */
  readonly data?: readonly string[];
}

/** What `kthw-node apply` reads to put a service on a machine: the format is described at the top of node.sh. */
export function describeService(service: Service): string {
  return describe("service", service, [
    ...(service.requires ?? []).map((command) => `requires ${command}`),
    ...(service.packages ?? []).map((name) => `package ${name}`),
    ...(service.masks ?? []).map((unit) => `mask ${unit}`),
    ...(service.users ?? []).map((name) => `user ${name}`),
    ...(service.directories ?? []).map(describeDirectory),
    `unit ${service.unit}`,
    ...(service.reads ?? []).map((path) => `reads ${path}`),
    ...(service.health === undefined ? [] : [`health ${service.health}`]),
    ...(service.reload === undefined ? [] : [`reload ${service.reload}`]),
    ...(service.timeoutSeconds === undefined ? [] : [`timeout ${service.timeoutSeconds}`]),
    ...(service.teardown ?? []).map((command) => `teardown ${command}`),
    ...(service.data ?? []).map((path) => `data ${path}`),
  ]);
}

/** What `kthw-node apply` reads to put a bundle on a machine. */
export function describeBundle(bundle: Bundle): string {
  return describe("bundle", bundle, [
    ...(bundle.users ?? []).map((name) => `user ${name}`),
    ...(bundle.directories ?? []).map(describeDirectory),
    ...(bundle.data ?? []).map((path) => `data ${path}`),
  ]);
}

function describe(
  kind: string,
  { name, files }: { name: string; files: readonly File[] },
  headers: string[],
): string {
  return [
    `${kind} ${name}\n`,
    ...headers.map((line) => `${line}\n`),
    ...files.map(describeFile),
  ].join("");
}

function describeDirectory({ path, mode, owner }: Directory): string {
  return `directory ${path} ${mode} ${owner}`;
}

function describeFile({ path, text, mode = "0644", owner = "root:root", live }: File): string {
  if (!text.endsWith("\n") && text !== "")
    throw new Error(`${path}: its text must end in a newline`);
  const lines = text.split("\n").slice(0, -1);
  return `file ${path} ${mode} ${owner}${live ? " live" : ""}\n${lines.map((line) => (line === "" ? "\n" : `  ${line}\n`)).join("")}`;
}
