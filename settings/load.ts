import { readFileSync } from "node:fs";
import os from "node:os";
import { pathToFileURL } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import type { ArtifactSource } from "../components/downloads.ts";
import { platforms } from "../stacks/platforms.ts";
import { keysOfAgent, opensKey } from "../stacks/ssh-programs.ts";
import { cacheFolder } from "./caches.ts";
import { thisKernel } from "./kernel.ts";
import { isServer, readMirror } from "./mirror.ts";
import { refuse } from "./refuse.ts";
import { parseSettings, type Settings } from "./settings.ts";
import { warnings } from "./warnings.ts";

/** Settings from Pulumi's configuration, whose values are all texts: lists and groups are JSON, and a setting without a value is empty. */
export function rawSettings(config: Readonly<Record<string, string>>): Record<string, unknown> {
  const namespace = "kthw:";
  return Object.fromEntries(
    Object.entries(config)
      .filter(([key, text]) => key.startsWith(namespace) && text !== "")
      .map(([key, text]) => [key.slice(namespace.length), decoded(text)]),
  );
}

function decoded(text: string): unknown {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The settings of this stack; if there are mistakes in the settings or in the mirror, shows all of them and ends the program. */
export async function loadSettings(): Promise<Settings> {
  const { env, arch } = process;
  const secretSettings: string[] = JSON.parse(env.PULUMI_CONFIG_SECRET_KEYS ?? "[]");
  const raw = rawSettings(pulumi.runtime.allConfig());
  const context = {
    stack: pulumi.getStack(),
    arch: arch === "x64" ? "amd64" : arch,
    cacheDir: cacheFolder(),
    kernel: thisKernel(),
    env,
    home: os.homedir(),
    read: (file: string) => readFileSync(file, "utf8"),
    opensKey,
    keysOfAgent,
    isSecret: (setting: string) => secretSettings.includes(`kthw:${setting}`),
  };
  const result = parseSettings(raw, context);
  if ("settings" in result) {
    for (const warning of warnings(result.settings, context)) await pulumi.log.warn(warning);
    return result.settings;
  }
  const mirror = result.mirror && (await readMirror(result.mirror));
  return await refuse([
    ...result.mistakes,
    ...(mirror && "mistakes" in mirror ? mirror.mistakes : []),
  ]);
}

/** The source of downloads, with the mirror's checksums; if the mirror lacks files of this stack, shows them and ends the program. */
export async function loadArtifactSource(settings: Settings): Promise<ArtifactSource> {
  const result = await readMirror(settings);
  if ("mistakes" in result) return await refuse(result.mistakes);
  const { mirror } = settings.artifacts;
  if (mirror === undefined) return { mirrorUrl: undefined, sums: result.sums };
  const mirrorUrl = isServer(mirror)
    ? mirror.replace(/\/+$/, "")
    : pathToFileURL(platforms[settings.platform].mirrorOnMachines(mirror)).href;
  return { mirrorUrl, sums: result.sums };
}
