import type * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { Machine, MachineTraits } from "../node/machine.ts";
import type { Endpoint } from "../services/cluster-facts.ts";
import type { Service } from "../services/service.ts";
import type { Subject } from "../settings/checks/subject.ts";
import type { ClusterSettings, Frozen } from "../settings/cluster.ts";
import type { Sound } from "../settings/draft.ts";
import type { Draft } from "../settings/schema.ts";
import type { Claim, MachineRecords, Unchanging } from "../settings/unchanged.ts";

/** The machines of a stack, by name. */
export type Machines = ReadonlyMap<string, Machine>;

/** The services of each machine, by the machine's name. */
export type ServicesByMachine = ReadonlyMap<string, readonly Service[]>;

/** The settings of a stack on a platform: those of any platform, and the platform's own group. */
export type PlatformSettings<Name extends string, Group extends z.ZodType> = ClusterSettings &
  Frozen<Record<Name, z.output<Group>>>;

/** Makes the resource that leads the operator to the API's endpoint. */
export type Lead = (opts: pulumi.CustomResourceOptions) => pulumi.Resource;

/** A source of machines, with everything that differs between sources. */
export interface Platform<Name extends string, Group extends z.ZodType> {
  /** The platform's own group of settings, which is named like the platform. */
  readonly group: Group;
  /** Whether the machines are on this computer: the mirror is then a folder here, by default the one that `make artifacts` fills. */
  readonly onThisComputer: boolean;
  /** The path at which the machines see the folder of a mirror. */
  mirrorOnMachines(folder: string): string;
  /** Whether the platform has a load balancer of its own in front of the API, in place of a machine. */
  balancesApi(draft: Draft & Sound<Record<Name, z.output<Group>>>): boolean;
  /** The mistakes of settings that are mistakes on this platform only. */
  check(subject: Subject<Draft & Sound<Record<Name, z.output<Group>>>>): string[];
  /** Values that only one machine at a time can have, besides its address and pod range. */
  claims(settings: PlatformSettings<Name, Group>): Claim[];
  /** The settings that may not change on a living cluster of this platform. */
  unchanging(settings: PlatformSettings<Name, Group>): Unchanging;
  /** The addresses at which the API is reached. */
  endpoint(settings: PlatformSettings<Name, Group>): Endpoint;
  /** What leads the operator to the endpoint, made once the endpoint answers; left out where the operator needs no leading. */
  leadTo?(settings: PlatformSettings<Name, Group>): Promise<Lead | undefined>;
  /** The traits of the machines' kernels and containers. */
  traits(settings: PlatformSettings<Name, Group>): MachineTraits;
  /** Makes or finds the machines; only this method loads the libraries for it. */
  machines(
    settings: PlatformSettings<Name, Group>,
    records: MachineRecords,
    services: ServicesByMachine,
  ): Promise<Machines>;
}
