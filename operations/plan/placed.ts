import { basename } from "node:path";
import { folder as binariesFolder } from "../../components/versions.ts";
import { withoutSudo } from "../../node/become-root.ts";
import { describePrerequisites, readDescription } from "../../node/description.ts";
import { type Download, readDownloads } from "../../node/downloads.ts";
import { input, type ResourceState } from "./steps.ts";

/** A file that a command puts on a machine. */
export interface PlacedFile {
  /** The content; for a secret, a link or a binary, one line in parentheses instead. */
  readonly text: string;
  readonly mode: string;
  /** User and group. */
  readonly owner: string;
  /** `record`: a file by which `kthw-node fetch` recognizes what it has fetched. */
  readonly kind: "text" | "secret" | "link" | "binary" | "record";
  /** Whether a change of the file restarts nothing. */
  readonly live: boolean;
}

/** The files, packages, users and folders that a command puts on a machine. */
export interface Placed {
  readonly kind: "service" | "bundle" | "downloads" | "script";
  readonly files: ReadonlyMap<string, PlacedFile>;
  /** Lines of the description for what must be on the machine before the files: packages, masked units, users and folders. */
  readonly prerequisites: readonly string[];
  /** The systemd unit of a service. */
  readonly unit?: string;
  /** Files and folders, placed by others, that a service reads when it starts. */
  readonly reads: readonly string[];
  /** Whether changed files are reloaded, without a restart. */
  readonly reloads: boolean;
  /** Commands that take back what a service does, once it is described without them. */
  readonly undo: readonly string[];
}

const owner = "root:root";
const secretText = "(secret: shown only on the machine)\n";

/** What a command puts on a machine, read from the command's inputs; undefined for other resources, and for a command that only waits. */
export function placed(state: ResourceState | undefined): Placed | undefined {
  if (state?.type !== "command:remote:Command") return undefined;
  // The first command on a machine may look at its kernel before.
  const looked = withoutSudo(input(state, "create")).replace(/^sh -c '.*' <\/dev\/null && /s, "");
  const create = withoutSudo(looked);
  const script = /^install -D -m (\d+) \/dev\/stdin (\S+)$/.exec(create);
  if (script) {
    const file = text(input(state, "stdin"), script[1]);
    return { ...nothing, kind: "script", files: new Map([[script[2]!, file]]) };
  }
  if (create === "kthw-node fetch") {
    const files = readDownloads(input(state, "stdin")).flatMap(downloaded);
    return { ...nothing, kind: "downloads", files: new Map(files) };
  }
  // The description of a bundle is a secret; a comment holds the description without the texts.
  const [verb, ...rest] = create.split("\n");
  if (verb !== "kthw-node apply" && verb !== "kthw-node apply --wait") return undefined;
  const outline = rest.filter((line) => line.startsWith("# ")).map((line) => `${line.slice(2)}\n`);
  return described(outline.length > 0 ? outline.join("") : input(state, "stdin"));
}

const nothing = { prerequisites: [], reads: [], reloads: false, undo: [] } as const;

function described(text: string): Placed {
  const description = readDescription(text);
  const common = {
    kind: description.kind,
    prerequisites: describePrerequisites(description),
  };
  if (description.kind === "bundle") {
    const files = description.files.map(
      ({ path, ...file }) => [path, { ...file, text: secretText, kind: "secret" }] as const,
    );
    return { ...nothing, ...common, files: new Map(files) };
  }
  const { unit, reads, reload, undo } = description;
  const files = description.files.map(
    ({ path, ...file }) => [path, { ...file, kind: "text" }] as const,
  );
  const units = "/etc/systemd/system";
  const timers = files.flatMap(([path]) => (path.endsWith(".timer") ? [basename(path)] : []));
  const enabled = [
    [`${units}/multi-user.target.wants/${unit}`, link(`${units}/${unit}`)],
    ...timers.map(
      (timer) =>
        [
          `${units}/timers.target.wants/${timer}`,
          { ...link(`${units}/${timer}`), live: true },
        ] as const,
    ),
  ] as const;
  return {
    ...common,
    files: new Map<string, PlacedFile>([...files, ...enabled]),
    unit,
    reads,
    reloads: reload !== undefined,
    undo,
  };
}

/** The files that a download puts on a machine, by path. */
function downloaded(download: Download): [path: string, file: PlacedFile][] {
  switch (download.kind) {
    case "binaries": {
      const { name, version, url, sum, members } = download;
      const folder = binariesFolder({ name, version });
      return Object.entries(members).flatMap(([member, name]) => [
        [`${folder}/${name}`, binary(`${member} of ${url}, ${sum}`, "0755")],
        [`${folder}/.${name}.sum`, record(sum)],
      ]);
    }
    case "image": {
      const { name, url, sum } = download;
      const archive = `/opt/kthw/images/${url.slice(url.lastIndexOf("/") + 1)}`;
      return [
        [archive, binary(`image ${name}, ${url}, ${sum}`, "0600")],
        [`${archive}.name`, record(`${name}\n`)],
        [`${archive}.sum`, record(sum)],
      ];
    }
    case "link":
      return [[download.path, link(download.target)]];
    default:
      return download satisfies never;
  }
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
