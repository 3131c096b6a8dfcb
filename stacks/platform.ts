import type { z } from "zod";
import type { Machine, MachineTraits } from "../node/machine.ts";
import type { Endpoint } from "../services/cluster-facts.ts";
import type { Service } from "../services/service.ts";
import type { Subject } from "../settings/checks/subject.ts";
import type { ClusterSettings, Frozen } from "../settings/cluster.ts";
import type { Sound } from "../settings/draft.ts";
import type { Draft } from "../settings/schema.ts";
import type { Claim, MachineRecords } from "../settings/unchanged.ts";

/** The machines of a stack, by name. */
export type Machines = ReadonlyMap<string, Machine>;

/** The services that a machine will have, by the machine's name. */
export type ServicesByMachine = ReadonlyMap<string, readonly Service[]>;

/** The settings of a stack on a platform: those of every stack, and the platform's own group. */
export type PlatformSettings<Name extends string, Group extends z.ZodType> = ClusterSettings &
  Frozen<Record<Name, z.output<Group>>>;

/** Where a stack's machines come from, and all that differs because of that. */
export interface Platform<Name extends string, Group extends z.ZodType> {
  /** The group of settings of its own, which has its name. */
  readonly group: Group;
  /** The machines are on this computer: their mirror is a folder here, by default the one that `make artifacts` fills. */
  readonly onThisComputer: boolean;
  /** Where the machines see the folder of a mirror. */
  mirrorOnMachines(folder: string): string;
  /** What is wrong with the settings on this platform alone. */
  check(subject: Subject<Draft & Sound<Record<Name, z.output<Group>>>>): string[];
  /** What else a machine has that no other can have at the same time, besides its address and pod range. */
  claims(settings: PlatformSettings<Name, Group>): Claim[];
  /** Where the API is reached. */
  endpoint(settings: PlatformSettings<Name, Group>): Endpoint;
  /** What the machines' kernels and containers allow. */
  traits(settings: PlatformSettings<Name, Group>): MachineTraits;
  /** Makes or finds the machines; what the platform needs for that is loaded by then alone. */
  machines(
    settings: PlatformSettings<Name, Group>,
    records: MachineRecords,
    services: ServicesByMachine,
  ): Promise<Machines>;
}
