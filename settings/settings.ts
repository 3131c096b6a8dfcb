import path from "node:path";
import type { z } from "zod";
import { platforms } from "../stacks/platforms.ts";
import { check } from "./check.ts";
import { subjectOf } from "./checks/subject.ts";
import { clusterSettings, type Frozen } from "./cluster.ts";
import type { Context } from "./context.ts";
import { draftOf, type Sound } from "./draft.ts";
import { frozen } from "./frozen.ts";
import { isServer, type MirrorSettings } from "./mirror.ts";
import { namesSecret, nearest, place, unknownSetting } from "./mistake.ts";
import { common } from "./schema.ts";
import { group, oneOf } from "./values.ts";

type Platforms = typeof platforms;
const names = Object.keys(platforms) as (keyof Platforms)[];
const groups = Object.fromEntries(names.map((name) => [name, platforms[name].group])) as {
  [Name in keyof Platforms]: Platforms[Name]["group"];
};

/** The settings of a stack as they are written; each setting is checked alone. */
export const schema = group({
  platform: oneOf(names, "not a platform").default(names[0]!),
  ...common,
  ...groups,
});

type Parsed = z.output<typeof schema>;
type Draft = Sound<Parsed>;

/** The settings of a stack: checked, with every default filled in, and deeply frozen. */
export type Settings = Frozen<ReturnType<typeof settingsFrom>>;

/**
 * The settings that `raw` describes, or all mistakes in `raw`, each a line
 * `<where>: <what is wrong>, got <value>; <what to do>`. With mistakes comes the mirror, which can be checked all the same.
 */
export function parseSettings(
  raw: Readonly<Record<string, unknown>>,
  context: Context,
): { settings: Settings } | { mistakes: string[]; mirror: MirrorSettings | undefined } {
  const written = structuredClone(raw);
  const mistakes = mistakesIn(written, context);
  if (mistakes.length === 0) {
    return { settings: frozen(settingsFrom(schema.parse(written), context)) };
  }
  const isKnown = !mistakes.some((mistake) => mistake.startsWith("artifacts"));
  return {
    mistakes,
    mirror: isKnown ? mirrorSettings(draftOf(schema, written), context) : undefined,
  };
}

/** All mistakes in settings. An unknown name is replaced by the nearest known one, so that everything else is checked all the same. */
function mistakesIn(written: unknown, context: Context): string[] {
  const issues = schema.safeParse(written, { reportInput: true }).error?.issues ?? [];
  const unknown = issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [];
    const known = issue.message.split(" ");
    const group = issue.input as Record<string, unknown>;
    return issue.keys.map((key) => {
      const value = group[key];
      const meant = nearest(key, known);
      delete group[key];
      if (meant && !(meant in group)) group[meant] = value;
      const isSecret =
        issue.path[0] === "joinTokens" ||
        issue.path[0] === "registries" ||
        issue.path[1] === "authority" ||
        issue.path[1] === "nextAuthority" ||
        namesSecret.test(key);
      const shown = isSecret ? "[secret]" : value;
      return unknownSetting([...issue.path, key], shown, known);
    });
  });
  if (unknown.length > 0) return [...unknown, ...mistakesIn(written, context)];
  // A setting that does not parse is not reported as missing, too.
  const isReported = (mistake: string) =>
    issues.some(({ path }) => path.length > 0 && /^[:.[]/.test(after(mistake, place(path))));
  return [
    ...issues.map(({ path, message }) => `${place(path)}: ${message}`),
    ...checked(draftOf(schema, written), context).filter((mistake) => !isReported(mistake)),
  ];
}

/** The part of a text after a beginning; empty if the text begins otherwise. */
function after(text: string, beginning: string): string {
  return text.startsWith(beginning) ? text.slice(beginning.length) : "";
}

function checked(draft: Draft, context: Context): string[] {
  const platform = draft.platform && platforms[draft.platform];
  const subject = subjectOf(draft, context, platform?.balancesApi(draft));
  return [...check(subject), ...(platform?.check(subject) ?? [])];
}

function settingsFrom(parsed: Parsed, context: Context) {
  return {
    ...parsed,
    ...clusterSettings(parsed, context),
    /** Absolute folder or http(s) address with a SHA256SUMS; undefined for the upstream addresses. */
    artifacts: { mirror: mirrorOf(parsed, context) },
  };
}

function mirrorOf({ platform, artifacts }: Draft, { cacheDir }: Context): string | undefined {
  const isHere = platform !== undefined && platforms[platform].onThisComputer;
  return artifacts?.mirror ?? (isHere ? path.join(cacheDir, "mirror") : undefined);
}

/** The settings of the mirror; undefined if one of them does not parse. */
function mirrorSettings(draft: Draft, context: Context): MirrorSettings | undefined {
  const { kubernetesVersion, artifacts, architecture = context.arch } = draft;
  if (!kubernetesVersion || !artifacts) return undefined;
  if (architecture !== "amd64" && architecture !== "arm64") return undefined;
  const mirror = mirrorOf(draft, context);
  if (mirror !== undefined && !path.isAbsolute(mirror) && !isServer(mirror)) return undefined;
  return { kubernetesVersion, architecture, artifacts: { mirror } };
}
