import { X509Certificate } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { type ExternalAuthority, publicKeyHash } from "../components/certificate-authority.ts";
import { generationsIn, nameOfGeneration } from "../components/rotation.ts";
import { formerNetwork, networks } from "../networks/networks.ts";
import { knownValue } from "../node/known-value.ts";
import type { Role } from "../services/cluster-facts.ts";
import { serviceAccountIssuer } from "../services/kube-apiserver.ts";
import { authorityPlaces } from "./authority.ts";
import { type ClusterSettings, machinesOf } from "./cluster.ts";
import { mistakeAt } from "./mistake.ts";
import { refuse } from "./refuse.ts";
import type { Left } from "./state.ts";
import { upgradeFault, versionChange } from "./version-change.ts";

/**
 * The settings that may not change on a living cluster, by their place. A new line does not apply to clusters that exist, which remember
 * no value for it, unless `before` has the value. Of a list, the item that was the first must stay.
 */
const ofCluster: Readonly<
  Record<string, (settings: ClusterSettings) => string | readonly string[]>
> = {
  serviceCidr: ({ serviceCidr }) => serviceCidr,
  podCidr: ({ podCidr }) => podCidr,
  clusterDomain: ({ clusterDomain }) => clusterDomain,
  network: ({ network }) => network,
  // The identity of the Kubernetes provider holds the name: with another name, all of the provider's objects would be replaced.
  clusterName: ({ clusterName }) => clusterName,
  dnsAddress: ({ dnsAddress }) => dnsAddress,
  "apiServer.extraFlags.service-account-issuer": ({ apiServer, clusterDomain }) => {
    const own = serviceAccountIssuer(clusterDomain);
    return [apiServer.extraFlags["service-account-issuer"] ?? own]
      .flat()
      .map((issuer) => (issuer === own ? programsOwn : issuer));
  },
};
/** The values of clusters that were made before the program had the settings. */
const before: Readonly<Record<string, string>> = { network: formerNetwork };
/** The settings of each machine that may not change. */
const ofMachine = ["address", "podCidr"] as const;
/** Settings whose value lies within the value of another setting: if both change, only the other one is reported. */
const within: Readonly<Record<string, string>> = { dnsAddress: "serviceCidr" };

const programsOwn = "the program's own";

/** A value that only one machine at a time can have. */
export interface Claim {
  /** The place of the setting. */
  readonly where: string;
  readonly value: string;
  /** The machine's name. */
  readonly machine: string;
}

/** A setting whose first value is remembered. */
interface Kept {
  /** The place of the setting. */
  readonly where: string;
  readonly value: string | readonly string[];
  /** The name under which the value is remembered. @default the last word of the place */
  readonly key?: string;
}

/** What an earlier version of the program called a record: the component above it, and the name. */
interface Former {
  readonly parent: string;
  readonly name: string;
}

/** The values of a platform's settings that may not change on a living cluster, by the settings' place. */
export type Unchanging = Readonly<Record<string, string>>;

/** The resources that remember each machine, by the machine's name: created before the machine, and deleted after it. */
export type MachineRecords = ReadonlyMap<string, readonly pulumi.Resource[]>;

/** Shows all changes that would break a living cluster, and ends the program, before any other resource is registered. */
export async function refuseChanges(
  settings: ClusterSettings,
  claims: readonly Claim[],
  unchanging: Unchanging,
  state: readonly Left[],
): Promise<MachineRecords> {
  const record = new ClusterRecord("record", settings, claims, unchanging);
  const { kubernetesVersion: version } = settings;
  const fault = upgradeFault(versionChange(state, version)?.from, version);
  const mistakes = [
    ...(await record.mistakes),
    ...(fault ? [mistakeAt("kubernetesVersion", fault.wrong, version, fault.todo)] : []),
  ];
  return mistakes.length > 0 ? await refuse(mistakes) : record.machines;
}

/** Remembers in Pulumi's state the values that a cluster was made with. */
export class ClusterRecord extends pulumi.ComponentResource {
  /** The changes that would break the living cluster. */
  readonly mistakes: Promise<string[]>;
  /** The resources that remember each machine. */
  readonly machines: MachineRecords;

  constructor(
    name: string,
    settings: ClusterSettings,
    claims: readonly Claim[],
    unchanging: Unchanging,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:ClusterRecord", name, {}, opts);
    const { authorities, turns } = settings.certificates;
    const another = "make another cluster by make down and make up";
    const cluster = this.#values(
      `${name}:cluster`,
      [
        ...Object.entries(ofCluster).map(([where, value]) => [where, value(settings)] as const),
        ...Object.entries(networks[settings.network].unchanged?.(settings) ?? {}),
      ].map(([where, value]) => ({ where, value })),
      another,
      { remembered: { kubernetesVersion: settings.kubernetesVersion } },
    );
    const checks = [
      cluster.check,
      ...generationsIn(turns.kubernetesCa).map((generation, index) => {
        const authority = authorities[index];
        // What was the next one stands in the other place once the rotation has ended.
        const key = authorityPlaces[0];
        const kept = { where: authorityPlaces[index]!, key, value: identityOf(authority) };
        if (index === 1)
          return this.#values(recordOf(generation), [kept], "undo the steps of the rotation first")
            .check;
        // Earlier versions had one record, whatever the generation.
        const parent = generation === 1 ? "CertificateAuthority" : "ClusterRecord";
        const way = authority
          ? `rotate to it from another one of yours by ${authorityPlaces[1]}`
          : another;
        return this.#values(recordOf(generation), [kept], way, {
          former: { parent, name: recordOf(1) },
        }).check;
      }),
    ];
    const ofPlatform = Object.entries(unchanging).map(([where, value]) => ({ where, value }));
    checks.push(this.#values(`${name}:platform`, ofPlatform, another).check);

    const all = machinesOf(settings);
    const names = all.map((machine) => machine.name);
    const machines = all.map((machine) => {
      const own = ofMachine.flatMap((field) => {
        const value = machine[field];
        return value === undefined ? [] : [{ where: `${machine.where}.${field}`, value }];
      });
      // Each in a record of its own: an earlier version's record of an address never gets another field.
      const values = own.map((one) => {
        // No machine's name holds a colon.
        const name = `${machine.name}:${lastWord(one.where)}`;
        return this.#values(name, [one], wayTo(machine), {
          former: { parent: "ExistingHosts", name },
        });
      });
      const held = own.map((one) => ({ ...one, machine: machine.name, isKept: true }));
      const others = claims
        .filter((claim) => claim.machine === machine.name)
        .map((claim) => ({ ...claim, isKept: false }));
      const claimed = [...held, ...others].map((claim) => this.#claim(claim, machine.role, names));
      const records = [...values, ...claimed];
      checks.push(...records.map(({ check }) => check));
      return [machine.name, records.map(({ stash }) => stash)] as const;
    });
    this.machines = new Map(machines);
    this.mistakes = Promise.all(checks).then((mistakes) => mistakes.flat());
    this.registerOutputs({});
  }

  /**
   * Remembers the first values of settings, each by its key or by the last word of its place, and checks that none has changed but those
   * that are only remembered.
   */
  #values(
    name: string,
    values: readonly Kept[],
    way: string,
    opts: { readonly former?: Former; readonly remembered?: Record<string, string> } = {},
  ) {
    const input: Record<string, string> = {
      ...Object.fromEntries(values.map((one) => [keyOf(one), [one.value].flat()[0]!])),
      ...opts.remembered,
    };
    const stash = this.#remember(name, input, opts.former);
    const former = formerOf<Record<string, string> | string>(stash).then((record) => {
      // Earlier versions remembered the first value alone.
      const known = typeof record === "string" ? { [keyOf(values[0]!)]: record } : record;
      return known && { ...before, ...known };
    });
    const check = former.then((former) => {
      const now = new Map(values.map((one) => [keyOf(one), [one.value].flat()]));
      const isChanged = (key: string) =>
        former?.[key] !== undefined && !now.get(key)?.includes(former[key]);
      return values
        .filter((one) => isChanged(keyOf(one)) && !isChanged(within[one.where] ?? ""))
        .map((one) => {
          const todo = `put ${former![keyOf(one)]} back, or ${way}`;
          const got = [one.value].flat().join(", ");
          return mistakeAt(one.where, "cannot be changed on a living cluster", got, todo);
        });
    });
    return { stash, check };
  }

  /** Remembers the machine that a value belongs to. A value passes to another machine in two updates, since an update deletes last. */
  #claim(
    { where, value, machine, isKept }: Claim & { isKept: boolean },
    role: Role,
    names: string[],
  ) {
    const stash = this.#remember(`${value}:machine`, machine);
    const check = formerOf<unknown>(stash).then((owner) => {
      if (typeof owner !== "string" || owner === machine) return [];
      if (!names.includes(owner)) {
        const wrong = `belongs to ${owner}, which leaves in this update`;
        // Without its load balancer or with an even number of controllers, there is no update in between.
        const todo =
          role === "worker"
            ? `take ${owner} out with one update, then add ${machine} with the next`
            : `put ${owner} back, or give ${machine} another`;
        return [mistakeAt(where, wrong, value, todo)];
      }
      // The owner's own change is reported at the owner's setting.
      if (isKept) return [];
      const todo = `take it from ${owner} with one update, then give it to ${machine} with the next`;
      return [mistakeAt(where, `belongs to ${owner}`, value, todo)];
    });
    return { stash, check };
  }

  #remember(name: string, input: unknown, former?: Former): pulumi.Stash {
    const at = `urn:pulumi:${pulumi.getStack()}::${pulumi.getProject()}`;
    const urn = (one: Former) => `${at}::kthw:index:${one.parent}$pulumi:index:Stash::${one.name}`;
    return new pulumi.Stash(
      name,
      { input },
      {
        parent: this,
        ignoreChanges: ["input"],
        aliases: former ? [urn(former)] : [],
      },
    );
  }
}

/** How a machine gets another address or pod range: a worker may leave, a cluster needs its other machines. */
function wayTo({ role, name }: { readonly role: Role; readonly name: string }): string {
  return role === "worker"
    ? `take ${name} out with one update and add it again with the next`
    : "let a machine of another name have the new one";
}

/** The name of the record of an authority. */
function recordOf(generation: number): string {
  return `${nameOfGeneration("kubernetes-ca", generation)}:identity`;
}

/** By what a value is remembered. */
function keyOf({ where, key }: Kept): string {
  return key ?? lastWord(where);
}

/** The last word of a machine's setting, as in `controllers[0].address`; another place as it is. */
function lastWord(where: string): string {
  return where.replace(/^.*\]\./, "");
}

/** The value that a stash remembered first; undefined in a preview of the update in which it is made. */
export function formerOf<T>({ output }: pulumi.Stash): Promise<T | undefined> {
  return knownValue<T>(output as pulumi.Output<T>);
}

/** The identity of an authority, which stays when its certificate is renewed. */
function identityOf(authority: ExternalAuthority | undefined): string {
  if (!authority) return programsOwn;
  const { subject } = new X509Certificate(authority.certificatePem);
  return `${subject.split("\n").reverse().join(", ")} ${publicKeyHash(authority.certificatePem)}`;
}
