import * as pulumi from "@pulumi/pulumi";
import { remembered } from "../../node/remembered.ts";
import type { MachineFacts, Role } from "../../services/cluster-facts.ts";
import { machinesOf } from "../../settings/cluster.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import type { PlatformSettings } from "../platform.ts";
import type { Image } from "./image.ts";
import type { libvirtGroup } from "./settings.ts";

/** Settings of a stack on libvirt. */
export type LibvirtSettings = PlatformSettings<"libvirt", typeof libvirtGroup>;

/** What a machine is made from: as the settings were when the machine was made, whatever they are today. */
export interface Build extends Image {
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
  readonly domainType: LibvirtSettings["libvirt"]["domainType"];
  readonly firmware: LibvirtSettings["libvirt"]["firmware"];
  /** The machines that it knew at its first boot. */
  readonly machines: readonly MachineFacts[];
}

/** The build of a machine, and what remembers it. */
export interface Remembered {
  readonly build: Build;
  readonly generation: number;
  /** Whether the machine is there already. Only a preview can tell. */
  readonly isMade: boolean;
  readonly records: readonly pulumi.Resource[];
}

/** A build in Pulumi's state, with the generation that each controller had then. */
interface Record extends Build {
  readonly generations: Readonly<{ [controller: string]: number }>;
}

/** Remembers what each machine is made from. A raised generation has a machine made anew, from what the settings are today. */
export class Builds extends pulumi.ComponentResource {
  /** The builds by the machine's name, or what is wrong with the generations. */
  readonly result: Promise<ReadonlyMap<string, Remembered> | { mistakes: string[] }>;

  constructor(
    name: string,
    settings: LibvirtSettings,
    image: Image,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:Builds", name, {}, opts);
    const { sizes, domainType, firmware } = settings.libvirt;
    const generationOf = (machine: string) =>
      settings.libvirt.machines.find(({ name }) => name === machine)?.generation ?? 1;
    const all = machinesOf(settings);
    const machines = all.map(({ name, address }) => ({ name, address }));
    const generations = Object.fromEntries(
      settings.controllers.map(({ name }) => [name, generationOf(name)]),
    );
    const remember = <T>(what: string, input: T) => {
      const options = { parent: this, ignoreChanges: ["input"] };
      const stash = new pulumi.Stash(what, { input }, options);
      return { stash, former: remembered(stash) as Promise<T | undefined> };
    };
    const entries = all.map(async ({ name, role }: { name: string; role: Role }) => {
      const generation = generationOf(name);
      const today: Record = {
        ...image,
        ...sizes[role],
        domainType,
        firmware,
        machines,
        generations,
      };
      // No machine's name holds a colon.
      const first = remember(`${name}:first-generation`, generation);
      const build = remember(`${name}:build-${generation}`, today);
      const record = await build.former;
      const { generations: then, ...made } = record ?? today;
      return {
        name,
        role,
        isFirst: ((await first.former) ?? generation) === generation,
        generations: then,
        remembered: {
          build: made,
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
        ? { mistakes: together.map(({ name }) => raisedTogether(name, settings)) }
        : new Map(made.map(({ name, remembered }) => [name, remembered]));
    });
    this.registerOutputs({});
  }
}

function raisedTogether(machine: string, { libvirt }: LibvirtSettings): string {
  const index = libvirt.machines.findIndex(({ name }) => name === machine);
  return mistakeAt(
    `libvirt.machines[${index}].generation`,
    "raised together with that of another controller",
    libvirt.machines[index]?.generation,
    "make one controller anew in each update, since each holds a member of etcd",
  );
}
