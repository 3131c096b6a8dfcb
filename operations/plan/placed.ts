import { headers, parseDescription } from "./description.ts";
import { input, type ResourceState } from "./steps.ts";

/** A file that a command puts on a machine. */
export interface PlacedFile {
  /** What it holds; of what is no text of ours, one line in parentheses that says what it is. */
  readonly text: string;
  readonly mode: string;
  /** User and group. */
  readonly owner: string;
  /** `record`: by which `kthw-node fetch` knows again what it has fetched. */
  readonly kind: "text" | "secret" | "link" | "binary" | "record";
  /** A change of it restarts nothing. */
  readonly live: boolean;
}

/** What a command puts on a machine. */
export interface Placed {
  readonly kind: "service" | "bundle" | "downloads" | "script";
  readonly files: ReadonlyMap<string, PlacedFile>;
  /** Lines of its description that name packages, users and folders. */
  readonly prerequisites: readonly string[];
  /** The systemd unit of a service. */
  readonly unit?: string;
  /** Files and folders of others that a service reads when it starts. */
  readonly reads: readonly string[];
  /** Changed files are reloaded, without a restart. */
  readonly reloads: boolean;
}

const owner = "root:root";
const secretText = "(secret: shown only on the machine)\n";

/** What a command to a machine puts there, read from its inputs; nothing for one that only waits, or no such command. */
export function placed(state: ResourceState | undefined): Placed | undefined {
  if (state?.type !== "command:remote:Command") return undefined;
  const create = input(state, "create").replace(/^sudo -n /, "");
  const script = /^install -D -m (\d+) \/dev\/stdin (\S+)$/.exec(create);
  if (script) {
    const file = text(input(state, "stdin"), script[1]);
    return { ...nothing, kind: "script", files: new Map([[script[2]!, file]]) };
  }
  if (create === "kthw-node fetch")
    return { ...nothing, kind: "downloads", files: downloads(input(state, "stdin")) };
  // The description of a bundle is a secret; all of it but the texts stands in a comment.
  const [verb, ...comment] = create.split("\n");
  if (verb !== "kthw-node apply") return undefined;
  return comment.length > 0
    ? described("bundle", comment.map((line) => `${line.slice(2)}\n`).join(""))
    : described("service", input(state, "stdin"));
}

const nothing = { prerequisites: [], reads: [], reloads: false } as const;

function described(kind: "service" | "bundle", source: string): Placed {
  const description = parseDescription(source);
  const files = new Map<string, PlacedFile>();
  for (const { path, text, ...file } of description.files)
    files.set(
      path,
      kind === "bundle"
        ? { ...file, text: secretText, kind: "secret" }
        : { ...file, text, kind: "text" },
    );
  const [unit] = headers(description, "unit");
  if (unit !== undefined)
    files.set(`/etc/systemd/system/multi-user.target.wants/${unit}`, {
      ...link(`/etc/systemd/system/${unit}`),
    });
  return {
    kind,
    files,
    prerequisites: description.headers.filter((line) => /^(package|user|directory) /.test(line)),
    ...(unit !== undefined && { unit }),
    reads: headers(description, "reads"),
    reloads: headers(description, "reload").length > 0,
  };
}

function downloads(source: string): Map<string, PlacedFile> {
  const files = new Map<string, PlacedFile>();
  let artifact = { folder: "", url: "", sum: "" };
  for (const line of source.split("\n")) {
    const [word, ...rest] = line.trim().split(" ") as [string, ...string[]];
    if (line.startsWith("  ")) {
      const { folder, url, sum } = artifact;
      files.set(`${folder}/${rest[0]}`, binary(`${word} of ${url}, ${sum}`, "0755"));
      files.set(`${folder}/.${rest[0]}.sum`, record(sum));
    } else if (word === "artifact") {
      const [name, version, url, sum] = rest as [string, string, string, string];
      artifact = { folder: `/opt/kthw/${name}/${version}`, url, sum };
    } else if (word === "image") {
      const [name, url, sum] = rest as [string, string, string];
      const archive = `/opt/kthw/images/${url.slice(url.lastIndexOf("/") + 1)}`;
      files.set(archive, binary(`image ${name}, ${url}, ${sum}`, "0600"));
      files.set(`${archive}.name`, record(`${name}\n`));
      files.set(`${archive}.sum`, record(sum));
    } else if (word === "link") {
      files.set(rest[0]!, link(rest[1]!));
    }
  }
  return files;
}

function text(content: string, mode = "0644"): PlacedFile {
  return { text: content, mode, owner, kind: "text", live: false };
}

function link(target: string): PlacedFile {
  return { text: `(link: ${target})\n`, mode: "0777", owner, kind: "link", live: false };
}

function binary(what: string, mode: string): PlacedFile {
  return { text: `(binary: ${what})\n`, mode, owner, kind: "binary", live: false };
}

function record(content: string): PlacedFile {
  return { ...text(content, "0600"), kind: "record" };
}
