import * as pulumi from "@pulumi/pulumi";
import type { Role } from "../services/cluster-facts.ts";
import { type ClusterSettings, machinesOf } from "../settings/cluster.ts";
import { mistakeAt } from "../settings/mistake.ts";
import { formerOf } from "../settings/unchanged.ts";

/** The build of a machine, and what remembers it. */
export interface Remembered<Build> {
  readonly build: Build;
  readonly generation: number;
  /** Whether the machine is there already. Only a preview can tell. */
  readonly isMade: boolean;
  readonly records: readonly pulumi.Resource[];
}

export interface BuildsArgs<Build extends object> {
  readonly settings: ClusterSettings;
  /** The place of the platform's list of settings of single machines. */
  readonly where: string;
  readonly own: readonly { readonly name: string; readonly generation: number }[];
  /** What a machine would be made from today. */
  readonly today: (machine: { readonly name: string; readonly role: Role }) => Build;
}

/** Remembers what each machine is made from. A raised generation has a machine made anew, from what the settings are today. */
export class Builds<Build extends object> extends pulumi.ComponentResource {
  /** The builds by the machine's name, or what is wrong with the generations. */
  readonly result: Promise<
    ReadonlyMap<string, Remembered<Build>> | { readonly mistakes: readonly string[] }
  >;

  constructor(name: string, args: BuildsArgs<Build>, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:Builds", name, {}, opts);
    const { settings, own, today } = args;
    const generationOf = (machine: string) =>
      own.find(({ name }) => name === machine)?.generation ?? 1;
    const generations: Readonly<{ [controller: string]: number }> = Object.fromEntries(
      settings.controllers.map(({ name }) => [name, generationOf(name)]),
    );
    const remember = <T>(what: string, input: T) => {
      const options = { parent: this, ignoreChanges: ["input"] };
      const stash = new pulumi.Stash(what, { input }, options);
      return { stash, former: formerOf<T>(stash) };
    };
    const entries = machinesOf(settings).map(async ({ name, role }) => {
      const generation = generationOf(name);
      // No machine's name holds a colon.
      const first = remember(`${name}:first-generation`, generation);
      // With the generation that each controller has then.
      const now = { ...today({ name, role }), generations };
      const build = remember(`${name}:build-${generation}`, now);
      const record = await build.former;
      const { generations: then, ...remembered } = record ?? now;
      return {
        name,
        role,
        isFirst: ((await first.former) ?? generation) === generation,
        generations: then,
        remembered: {
          build: remembered as unknown as Build,
          generation,
          isMade: record !== undefined,
          records: [first.stash, build.stash],
        },
      };
    });
    this.result = Promise.all(entries).then((made) => {
      const anew = made.filter(({ role, isFirst }) => role === "controller" && !isFirst);
      // Two that were remembered in the same update know of each other.
      const knows = (one: (typeof made)[number], other: (typeof made)[number]) =>
        one.generations[other.name] === other.remembered.generation;
      const together = anew.filter((one) =>
        anew.some((other) => other !== one && knows(one, other) && knows(other, one)),
      );
      return together.length > 0
        ? { mistakes: together.map(({ name }) => raisedTogether(name, args)) }
        : new Map(made.map(({ name, remembered }) => [name, remembered]));
    });
    this.registerOutputs({});
  }
}

function raisedTogether<Build extends object>(
  machine: string,
  { where, own }: BuildsArgs<Build>,
): string {
  const index = own.findIndex(({ name }) => name === machine);
  return mistakeAt(
    `${where}[${index}].generation`,
    "raised together with that of another controller",
    own[index]?.generation,
    "make one controller anew in each update, since each holds a member of etcd",
  );
}
