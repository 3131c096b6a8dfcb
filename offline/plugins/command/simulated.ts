/** The plugin command without machines: a command that the simulation knows succeeds at once, and says nothing. */
import { appendFileSync, readFileSync } from "node:fs";
import type { Plugin } from "../protocol/provider.ts";
import { pluginFor, type Run, runHere } from "./index.ts";
import { type Outcome, quote } from "./output.ts";

/** The text, in JSON, of the file that the variable SIMULATION names. Commands are regular expressions. */
export interface Simulation {
  /** Commands that succeed on every machine. */
  readonly remote: readonly string[];
  /** Commands that succeed on this computer. */
  readonly local: readonly string[];
  /** Commands on this computer that are run. */
  readonly run: readonly string[];
  /** The file that gets a line for each command on a machine: the machine's host and, after a tab, the command in JSON. */
  readonly log: string;
}

let found: Simulation | undefined;

function simulation(): Simulation {
  const file = process.env.SIMULATION;
  if (!file) throw new Error("SIMULATION: nothing; set it to the file of a simulation");
  found ??= JSON.parse(readFileSync(file, "utf8")) as Simulation;
  return found;
}

const isOne = (known: readonly string[], command: string): boolean =>
  known.some((one) => new RegExp(one).test(command));

function answer(where: string, known: readonly string[], command: string): Outcome {
  if (isOne(known, command)) return { stdout: "", stderr: "" };
  throw new Error(`${where}: a command that the simulation does not know, got ${quote(command)}`);
}

const here: Run = async (inputs, call) => {
  const { local, run } = simulation();
  if (isOne(run, call.command)) return runHere(inputs, call);
  return answer("this computer", local, call.command);
};

const there: Run = async ({ connection }, { command }) => {
  const { remote, log } = simulation();
  const { host } = connection as { host: string };
  appendFileSync(log, `${host}\t${JSON.stringify(command)}\n`);
  return answer(host, remote, command);
};

/** The plugin command 1.2.1 without machines. */
export const provider: Plugin = pluginFor(here, there);
