import { X509Certificate } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { type ExternalAuthority, publicKeyHash } from "../components/certificate-authority.ts";
import { type ClusterSettings, machinesOf } from "./cluster.ts";
import { mistakeAt } from "./mistake.ts";
import { refuse } from "./refuse.ts";

/** The settings that may not change while a cluster lives, by their place. A cluster that was made before a line was added here is not held to it. */
const ofCluster: Readonly<Record<string, (settings: ClusterSettings) => string>> = {
  serviceCidr: ({ serviceCidr }) => serviceCidr,
  podCidr: ({ podCidr }) => podCidr,
  clusterDomain: ({ clusterDomain }) => clusterDomain,
  dnsAddress: ({ dnsAddress }) => dnsAddress,
  "apiServer.extraFlags.service-account-issuer": ({ apiServer }) =>
    apiServer.extraFlags["service-account-issuer"] ?? programsOwn,
};
/** Those of each machine. */
const ofMachine = ["address", "podCidr"] as const;
/** Settings whose value lies in that of another one: if both change, that is told of the other alone. */
const within: Readonly<Record<string, string>> = { dnsAddress: "serviceCidr" };

const programsOwn = "the program's own";

/** What only one machine at a time can have. */
export interface Claim {
  /** The place of the setting. */
  readonly where: string;
  readonly value: string;
  /** The machine's name. */
  readonly machine: string;
}

/** For each machine, by its name, the resources that remember it: they must be there before the machine, and go after it. */
export type MachineRecords = ReadonlyMap<string, readonly pulumi.Resource[]>;

/** Ends the program with every change that a living cluster would not survive, before any other resource is registered. */
export async function refuseChanges(
  settings: ClusterSettings,
  claims: readonly Claim[],
): Promise<MachineRecords> {
  const record = new ClusterRecord("record", settings, claims);
  const mistakes = await record.mistakes;
  return mistakes.length > 0 ? await refuse(mistakes) : record.machines;
}

/** Remembers in Pulumi's state what a cluster was made with. */
export class ClusterRecord extends pulumi.ComponentResource {
  /** The changes that the living cluster would not survive. */
  readonly mistakes: Promise<string[]>;
  /** What remembers each machine. */
  readonly machines: MachineRecords;

  constructor(
    name: string,
    settings: ClusterSettings,
    claims: readonly Claim[],
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:ClusterRecord", name, {}, opts);
    const { authority } = settings.certificates;
    const another = "make another cluster";
    const checks = [
      this.#values(
        `${name}:cluster`,
        Object.entries(ofCluster).map(([where, value]) => ({ where, value: value(settings) })),
        another,
      ).check,
      this.#values(
        "kubernetes-ca:identity",
        [{ where: "certificates.authority", value: identityOf(authority) }],
        another,
        "kthw:index:CertificateAuthority",
      ).check,
    ];

    const all = machinesOf(settings);
    const names = all.map((machine) => machine.name);
    const machines = all.map((machine) => {
      const own = ofMachine.flatMap((field) => {
        const value = machine[field];
        return value === undefined ? [] : [{ where: `${machine.where}.${field}`, value }];
      });
      const values = this.#values(
        // No machine's name holds a colon.
        `${machine.name}:address`,
        own,
        "let a machine of another name have the new one",
        "kthw:index:ExistingHosts",
      );
      const held = own.map((one) => ({ ...one, machine: machine.name, isKept: true }));
      const others = claims
        .filter((claim) => claim.machine === machine.name)
        .map((claim) => ({ ...claim, isKept: false }));
      const claimed = [...held, ...others].map((claim) => this.#claim(claim, names));
      const records = [values, ...claimed];
      checks.push(...records.map(({ check }) => check));
      return [machine.name, records.map(({ stash }) => stash)] as const;
    });
    this.machines = new Map(machines);
    this.mistakes = Promise.all(checks).then((mistakes) => mistakes.flat());
    this.registerOutputs({});
  }

  /** Values that stay as they were first, remembered by the last word of their place. */
  #values(
    name: string,
    values: readonly { readonly where: string; readonly value: string }[],
    way: string,
    formerParent?: string,
  ) {
    const key = (where: string) => where.replace(/^.*\]\./, "");
    const input = Object.fromEntries(values.map(({ where, value }) => [key(where), value]));
    const stash = this.#remember(name, input, formerParent);
    const check = formerOf(stash).then((record) => {
      // Earlier versions remembered the first value alone.
      const former = typeof record === "string" ? { [key(values[0]!.where)]: record } : record;
      const isChanged = (key: string) => former?.[key] !== undefined && former[key] !== input[key];
      return values
        .filter(({ where }) => isChanged(key(where)) && !isChanged(within[where] ?? ""))
        .map(({ where, value }) => {
          const todo = `put ${former![key(where)]} back, or ${way}`;
          return mistakeAt(where, "cannot be changed on a living cluster", value, todo);
        });
    });
    return { stash, check };
  }

  /** Something that passes from one machine to another in two updates: an update deletes last what leaves. */
  #claim({ where, value, machine, isKept }: Claim & { isKept: boolean }, names: string[]) {
    const stash = this.#remember(`${value}:machine`, machine);
    const check = formerOf(stash).then((owner) => {
      if (typeof owner !== "string" || owner === machine) return [];
      if (!names.includes(owner)) {
        const wrong = `belongs to ${owner}, which leaves in this update`;
        const todo = `take ${owner} out with one update, then add ${machine} with the next`;
        return [mistakeAt(where, wrong, value, todo)];
      }
      // That its owner has another one now is refused there.
      if (isKept) return [];
      const todo = `take it from ${owner} with one update, then give it to ${machine} with the next`;
      return [mistakeAt(where, `belongs to ${owner}`, value, todo)];
    });
    return { stash, check };
  }

  #remember(name: string, input: unknown, formerParent?: string): pulumi.Stash {
    const at = `urn:pulumi:${pulumi.getStack()}::${pulumi.getProject()}`;
    return new pulumi.Stash(
      name,
      { input },
      {
        parent: this,
        ignoreChanges: ["input"],
        aliases: formerParent ? [`${at}::${formerParent}$pulumi:index:Stash::${name}`] : [],
      },
    );
  }
}

/** What was remembered first; undefined while nothing was. */
async function formerOf({
  output,
}: pulumi.Stash): Promise<Record<string, string> | string | undefined> {
  // Unknown outputs run no function. The class has this promise, its type does not.
  const { isKnown } = output as unknown as { readonly isKnown: Promise<boolean> };
  return (await isKnown) ? await new Promise((resolve) => output.apply(resolve)) : undefined;
}

/** By which an authority is known again, also after its certificate was renewed. */
function identityOf(authority: ExternalAuthority | undefined): string {
  if (!authority) return programsOwn;
  const { subject } = new X509Certificate(authority.certificatePem);
  return `${subject.split("\n").reverse().join(", ")} ${publicKeyHash(authority.certificatePem)}`;
}
