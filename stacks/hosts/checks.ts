import type { z } from "zod";
import type { Machine, Subject } from "../../settings/checks/subject.ts";
import type { Context } from "../../settings/context.ts";
import type { Sound } from "../../settings/draft.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import type { Draft } from "../../settings/schema.ts";
import { namedMachines } from "../named-machines.ts";
import { inPlain, login } from "../ssh-key.ts";
import type { hostsGroup } from "./settings.ts";

type HostsDraft = Draft & Sound<{ hosts: z.output<typeof hostsGroup> }>;

/** The mistakes of settings for existing hosts. */
export function check({ draft, machines, context }: Subject<HostsDraft>): string[] {
  return [
    ...namedMachines("hosts.machines", draft.hosts?.machines ?? [], machines),
    ...targets(draft, machines),
    ...login("hosts", draft.hosts, context),
    ...passwordsInPlain(draft, context),
  ];
}

/** No password of sudo is in plain text in the settings. */
function passwordsInPlain({ hosts }: HostsDraft, { isSecret }: Context): string[] {
  const machines = hosts?.machines ?? [];
  return [
    ...(hosts?.sudoPassword === undefined ? [] : ["hosts.sudoPassword"]),
    ...machines.flatMap((machine, index) =>
      machine?.sudoPassword === undefined ? [] : [`hosts.machines[${index}].sudoPassword`],
    ),
  ].flatMap((where) => inPlain(where, isSecret));
}

/** No two machines are the same host. */
function targets({ hosts }: HostsDraft, machines: readonly Machine[]): string[] {
  const seen = new Map<string, string>();
  return machines.flatMap(({ where, name, address }) => {
    const index = (hosts?.machines ?? []).findIndex((host) => host && host.name === name);
    const own = hosts?.machines?.[index];
    const host = own?.host ?? address;
    if (name === undefined || host === undefined) return [];
    const target = `${host}:${own?.port ?? hosts?.port}`;
    const earlier = seen.get(target);
    seen.set(target, earlier ?? name);
    // Two machines with one address are reported at their addresses.
    if (earlier === undefined || own?.host === undefined) return [];
    const wrong = `leads to the same host as ${earlier}, the machine ${where}`;
    const todo = "give each machine a host of its own";
    return [mistakeAt(`hosts.machines[${index}].host`, wrong, target, todo)];
  });
}
