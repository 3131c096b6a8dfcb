import { framed, unframed } from "./frame.ts";

/** A file on a machine. */
export interface File {
  readonly path: string;
  readonly text: string;
  /** @default "0644" */
  readonly mode?: string;
  /** User and group. @default "root:root" */
  readonly owner?: string;
  /** The file is read at each use, so that a change restarts nothing. */
  readonly live?: boolean;
}

/** A folder on a machine, whose content is not described. */
export interface Directory {
  readonly path: string;
  readonly mode: string;
  /** User and group. */
  readonly owner: string;
}

/** Packages, users and folders that must be on a machine before the files; the agent makes those that are missing. */
export interface Prerequisites {
  /** Debian packages. */
  readonly packages?: readonly string[];
  /** Unwanted units of the packages: masked, unless they were there before. */
  readonly masks?: readonly string[];
  /** System users, each with a group of its name. */
  readonly users?: readonly string[];
  readonly directories?: readonly Directory[];
}

/** A service: its files, and how its unit is run. */
export interface Service extends Prerequisites {
  readonly name: string;
  readonly files: readonly File[];
  /** The systemd unit, one of `files`, that is enabled and started. */
  readonly unit: string;
  /** Files and folders, placed by others, that the service reads when it starts. */
  readonly reads?: readonly string[];
  /** Shell command that succeeds when the service is healthy. */
  readonly health?: string;
  /** Shell command that checks changed files; the service then reloads them and is never restarted for them. */
  readonly reload?: string;
  /** How long the service may take to become healthy. @default 60 */
  readonly timeoutSeconds?: number;
  /** Shell commands that succeed on a machine that can run the service, and else say why not; run before anything is placed. */
  readonly requires?: readonly string[];
  /** Shell commands that are run when the service is removed, once its unit has stopped. */
  readonly teardown?: readonly string[];
  /** Shell commands that take back what the service does by this description: run when it is removed, or described without them. */
  readonly undo?: readonly string[];
  /** Files and folders that the running service makes, and that are useless once the service is removed. */
  readonly data?: readonly string[];
}

/** Keys, certificates and other secrets, all of which change at the same instant. */
export interface Bundle extends Pick<Prerequisites, "users" | "directories"> {
  readonly name: string;
  readonly files: readonly File[];
  /** Files and folders that are removed with the bundle, whoever made them. */
  readonly data?: readonly string[];
}

/** A description that was read: each list is present, even if empty, and each file has all its fields. */
export type Description =
  | ({ readonly kind: "service" } & Described<Service>)
  | ({ readonly kind: "bundle" } & Described<Bundle>);

type Described<T extends Service | Bundle> = Omit<T, "files" | keyof Lists<T>> &
  Omit<Lists<T>, "files"> & { readonly files: readonly Required<File>[] };

type Lists<T> = {
  [K in keyof T as NonNullable<T[K]> extends readonly unknown[] ? K : never]-?: NonNullable<T[K]>;
};

/** How a field is written as header lines: the first word of each line, and the rest of each line. */
interface Field<T> {
  readonly word: string;
  write(value: T): readonly string[];
  read(rests: readonly string[]): T | undefined;
}

type Fields<T> = { readonly [K in keyof T]-?: Field<NonNullable<T[K]>> };

const prerequisiteFields: Fields<Prerequisites> = {
  packages: list("package"),
  masks: list("mask"),
  users: list("user"),
  directories: {
    word: "directory",
    write: (all) => all.map(({ path, mode, owner }) => `${path} ${mode} ${owner}`),
    read: (rests) =>
      rests.map((rest) => {
        const [path = "", mode = "", owner = ""] = rest.split(" ");
        return { path, mode, owner };
      }),
  },
};

/** How long a service may take to become healthy if its description does not say. */
export const defaultTimeoutSeconds = 60;

/** The header fields of a service, in the order in which they are written. */
const serviceFields: Fields<Omit<Service, "name" | "files">> = {
  requires: list("requires"),
  ...prerequisiteFields,
  unit: one("unit"),
  reads: list("reads"),
  health: one("health"),
  reload: one("reload"),
  timeoutSeconds: {
    word: "timeout",
    write: (seconds) => [`${seconds}`],
    read: ([seconds]) => (seconds === undefined ? undefined : Number(seconds)),
  },
  teardown: list("teardown"),
  undo: list("undo"),
  data: list("data"),
};

/** The header fields of a bundle, in the order in which they are written. */
const bundleFields: Fields<Omit<Bundle, "name" | "files">> = {
  users: prerequisiteFields.users,
  directories: prerequisiteFields.directories,
  data: list("data"),
};

/** The text from which `kthw-node apply` puts a service on a machine, in the format that agent/description.sh describes. */
export function describeService(service: Service): string {
  return describe("service", service, headers(serviceFields, service));
}

/** The text from which `kthw-node apply` puts a bundle on a machine. */
export function describeBundle(bundle: Bundle): string {
  return describe("bundle", bundle, headers(bundleFields, bundle));
}

/** The header lines of prerequisites. */
export function describePrerequisites(prerequisites: Prerequisites): string[] {
  return headers(prerequisiteFields, prerequisites);
}

/** Reads a text of `describeService` or `describeBundle`, in this version of the format or an earlier one. */
export function readDescription(description: string): Description {
  const [first = "", ...lines] = unframed(description);
  const [kind, name = ""] = first.split(" ");
  if (kind === "service") return { kind, name, ...read(serviceFields, lines) } as Description;
  if (kind === "bundle") return { kind, name, ...read(bundleFields, lines) } as Description;
  throw new Error(`a description: its first line names no service or bundle, got ${first}`);
}

function list(word: string): Field<readonly string[]> {
  return { word, write: (texts) => texts, read: (texts) => texts };
}

function one(word: string): Field<string> {
  return { word, write: (text) => [text], read: ([text]) => text };
}

function headers<T>(fields: Fields<T>, values: T): string[] {
  return entries(fields).flatMap(([name, { word, write }]) => {
    const value = values[name];
    return value === undefined ? [] : write(value).map((rest) => `${word} ${rest}`);
  });
}

function entries<T>(fields: Fields<T>): [keyof T, Field<unknown>][] {
  return Object.entries(fields) as [keyof T, Field<unknown>][];
}

function describe(
  kind: string,
  { name, files }: { readonly name: string; readonly files: readonly File[] },
  headers: readonly string[],
): string {
  return framed(
    [`${kind} ${name}\n`, ...headers.map((line) => `${line}\n`), ...files.map(describeFile)].join(
      "",
    ),
  );
}

function describeFile({ path, text, mode = "0644", owner = "root:root", live }: File): string {
  if (!text.endsWith("\n") && text !== "")
    throw new Error(`${path}: its text must end in a newline`);
  const lines = text.split("\n").slice(0, -1);
  return `file ${path} ${mode} ${owner}${live ? " live" : ""}\n${lines.map((line) => (line === "" ? "\n" : `  ${line}\n`)).join("")}`;
}

function read<T>(fields: Fields<T>, lines: readonly string[]): object {
  const all = entries(fields);
  const rests = new Map(all.map(([, { word }]) => [word, [] as string[]]));
  const files: (Required<File> & { text: string })[] = [];
  for (const line of lines) {
    const [word = "", ...rest] = line.split(" ");
    if (line === "" || line.startsWith("  ")) {
      files.at(-1)!.text += `${line.slice(2)}\n`;
    } else if (word === "file") {
      const [path = "", mode = "", owner = "", live] = rest;
      files.push({ path, mode, owner, live: live === "live", text: "" });
    } else {
      const known = rests.get(word);
      if (known === undefined) throw new Error(`a description: unknown header, got ${line}`);
      known.push(rest.join(" "));
    }
  }
  const values = all
    .map(([name, { word, read }]) => [name, read(rests.get(word)!)] as const)
    .filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(values), files };
}
