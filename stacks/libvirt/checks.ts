import type { z } from "zod";
import { room } from "../../services/room.ts";
import type { Subject } from "../../settings/checks/subject.ts";
import type { Sound } from "../../settings/draft.ts";
import { isDnsLabel } from "../../settings/label.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import type { Draft } from "../../settings/schema.ts";
import { namedMachines } from "../named-machines.ts";
import { gateway, servedMirror } from "../network-checks.ts";
import { loginWithPublicKey } from "../ssh-key.ts";
import { isRemote } from "./image.ts";
import type { libvirtGroup } from "./settings.ts";

type LibvirtSubject = Subject<Draft & Sound<{ libvirt: z.output<typeof libvirtGroup> }>>;

/** The mistakes of settings for virtual machines of libvirt. */
export function check(subject: LibvirtSubject): string[] {
  const mirror = (subject: LibvirtSubject) => servedMirror(subject, "virtual machines");
  const checks = [stackName, architecture, mirror, image, sizes, gateway, machines, keys];
  return checks.flatMap((check) => check(subject));
}

/** The stack's name is part of the names of domains, which are also names of files. */
function stackName({ context: { stack } }: LibvirtSubject): string[] {
  if (isDnsLabel(stack) && stack.length <= 40) return [];
  const todo = "name the stack with up to 40 small letters, digits and inner dashes, like dev";
  return [mistakeAt("stack", "not usable in the names of domains", stack, todo)];
}

/** The machine type and the firmware are those of amd64. */
function architecture({ draft, context: { arch } }: LibvirtSubject): string[] {
  const architecture = draft.architecture ?? arch;
  if (architecture === "amd64") return [];
  return [mistakeAt("architecture", "not that of domains", architecture, "use amd64")];
}

/** An image of a server has a checksum. That of a file is looked for when a machine is to be made. */
function image({ draft: { libvirt } }: LibvirtSubject): string[] {
  const { image } = libvirt ?? {};
  // A checksum that does not parse is there, as undefined, and reported already.
  if (image?.source === undefined || !isRemote(image.source) || "sha256" in image) return [];
  const todo = "write the SHA-256 that the image's publisher gives";
  return [mistakeAt("libvirt.image.sha256", "needed for an image of a server", undefined, todo)];
}

/** The disk that Debian itself takes. */
const debianMiB = 1_536;

/** A machine has the memory and the disk that its role needs. */
function sizes({ draft: { libvirt } }: LibvirtSubject): string[] {
  return (["loadBalancer", "controller", "worker"] as const).flatMap((role) => {
    const { memoryMiB, diskGiB } = libvirt?.sizes?.[role] ?? {};
    const place = `libvirt.sizes.${role}`;
    const needed = room[role];
    const leastGiB = Math.ceil((needed.diskMiB + debianMiB) / 1_024);
    const wrong = "too small for what runs there";
    return [
      ...(memoryMiB !== undefined && memoryMiB < needed.memoryMiB
        ? [mistakeAt(`${place}.memoryMiB`, wrong, memoryMiB, `use at least ${needed.memoryMiB}`)]
        : []),
      ...(diskGiB !== undefined && diskGiB < leastGiB
        ? [mistakeAt(`${place}.diskGiB`, wrong, diskGiB, `use at least ${leastGiB}`)]
        : []),
    ];
  });
}

/** What is said of single machines is said once, and of machines that are there. */
function machines({ draft: { libvirt }, machines }: LibvirtSubject): string[] {
  return namedMachines("libvirt.machines", libvirt?.machines ?? [], machines);
}

/** The operator's key is there, with its public part, which the machines are given. */
function keys({ draft: { libvirt }, context }: LibvirtSubject): string[] {
  return loginWithPublicKey("libvirt", libvirt, context);
}
