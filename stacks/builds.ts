import { randomBytes } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { Role } from "../services/cluster-facts.ts";
import { type ClusterSettings, machinesOf } from "../settings/cluster.ts";
import { mistakeAt } from "../settings/mistake.ts";
import { formerOf } from "../settings/unchanged.ts";

/** The build of a machine, and what remembers it. */
export interface Remembered<Build> {
  readonly build: Build;
  readonly generation: number;
  /** Whether an earlier update made the machine, or began to. */
  readonly isMade: boolean;
  readonly records: readonly pulumi.Resource[];
}

/** The machines of the settings, and what the platform would make them from. */
export interface BuildsArgs<Build extends object> {
  readonly settings: ClusterSettings;
  /** The place of the platform's list of settings of single machines. */
  readonly where: string;
  readonly own: readonly { readonly name: string; readonly generation: number }[];
  /** What a machine would be made from today. */
  readonly today: (machine: { readonly name: string; readonly role: Role }) => Build;
}

/** Remembers what each machine is made from. Another generation has a machine made anew, from what the settings are today. */
export class Builds<Build extends object> extends pulumi.ComponentResource {
  /** The builds by the machine's name, or what is wrong with the generations. */
  readonly result: Promise<
    ReadonlyMap<string, Remembered<Build>> | { readonly mistakes: readonly string[] }
  >;

  constructor(name: string, args: BuildsArgs<Build>, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:Builds", name, {}, opts);
    const { settings, own, today } = args;
    // Builds that are remembered in the same update have its id.
    const update = randomBytes(8).toString("hex");
    const remember = <T>(what: string, input: T) => {
      const options = { parent: this, ignoreChanges: ["input"] };
      const stash = new pulumi.Stash(what, { input }, options);
      return { stash, former: formerOf<T>(stash) };
    };
    const entries = machinesOf(settings).map(async ({ name, role }) => {
      const generation = own.find((machine) => machine.name === name)?.generation ?? 1;
      // No machine's name holds a colon.
      const first = remember(`${name}:first-update`, update);
      const now = { ...today({ name, role }), update };
      const build = remember(`${name}:build-${generation}`, now);
      const record = await build.former;
      const { update: then, ...remembered } = record ?? now;
      const isNow = then === update;
      return {
        name,
        role,
        update: then,
        isAnew: ((await first.former) ?? then) !== then,
        isNow,
        remembered: {
          build: remembered as unknown as Build,
          generation,
          isMade: !isNow,
          records: [first.stash, build.stash],
        },
      };
    });
    this.result = Promise.all(entries).then((made) => {
      const anew = made.filter(({ role, isAnew }) => role === "controller" && isAnew);
      const mistakes = anew.flatMap((one) => {
        if (anew.some((other) => other !== one && other.update === one.update))
          return [anewTogether(one.name, args)];
        const isAlone = settings.controllers.length === 1 && one.isNow;
        return isAlone ? [anewAlone(one.name, args)] : [];
      });
      return mistakes.length > 0
        ? { mistakes }
        : new Map(made.map(({ name, remembered }) => [name, remembered]));
    });
    this.registerOutputs({});
  }
}

function anewTogether<Build extends object>(name: string, args: BuildsArgs<Build>): string {
  const todo = "make one controller anew in each update, since each holds a member of etcd";
  return mistakeOf(name, args, "changed together with that of another controller", todo);
}

function anewAlone<Build extends object>(name: string, args: BuildsArgs<Build>): string {
  const wrong = "changed for the only controller, whose disk holds all of etcd";
  return mistakeOf(name, args, wrong, "put it back, or add two controllers first");
}

function mistakeOf<Build extends object>(
  machine: string,
  { where, own }: BuildsArgs<Build>,
  wrong: string,
  todo: string,
): string {
  const index = own.findIndex(({ name }) => name === machine);
  // Without an entry of its own, a machine has the first generation.
  const at = index < 0 ? `${where} (${machine}, generation)` : `${where}[${index}].generation`;
  return mistakeAt(at, wrong, own[index]?.generation ?? 1, todo);
}
