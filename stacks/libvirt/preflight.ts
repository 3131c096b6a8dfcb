import { createHash } from "node:crypto";
import { createReadStream, existsSync, statfsSync, statSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import type { Role } from "../../services/cluster-facts.ts";
import { room } from "../../services/room.ts";
import { machinesOf } from "../../settings/cluster.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import type { Remembered } from "../builds.ts";
import type { Build, LibvirtSettings } from "./builds.ts";
import { type Image, isRemote } from "./image.ts";

/** The code and the variables of the UEFI firmware, in Debian's package ovmf. */
export const uefi = {
  code: "/usr/share/OVMF/OVMF_CODE_4M.fd",
  variables: "/usr/share/OVMF/OVMF_VARS_4M.fd",
} as const;

const mib = 1024 * 1024;

/** The device of the kernel without which no machine is faster than emulated. */
const kvm = "/dev/kvm";

/** What is missing on this computer, and on libvirt's computer if it is the same, for the machines that are not made yet. */
export async function preflight(
  settings: LibvirtSettings,
  image: Image | { readonly mistakes: readonly string[] },
  builds: ReadonlyMap<string, Remembered<Build>>,
): Promise<string[]> {
  const absent = machinesOf(settings).filter(({ name }) => {
    const { isMade, build } = builds.get(name)!;
    // An update without a preview takes each machine for one that is made.
    return !isMade || build.sha256 === "";
  });
  if (absent.length === 0) return [];
  const { uri, domainType, poolFolder } = settings.libvirt;
  const mistakes =
    "mistakes" in image ? [...image.mistakes] : await problemOfImage(image, copyOf(image));
  if (!uri.startsWith("qemu:///")) return mistakes;
  return [
    ...mistakes,
    ...(domainType === "kvm" ? problemOfKvm(kvm) : []),
    ...problemOfFirmware(settings),
    ...problemOfRoom(poolFolder, "mistakes" in image ? 0 : sizeOf(image), absent),
  ];
}

/** The computer's own CPU runs machines where the kernel has this device. */
export function problemOfKvm(device: string): string[] {
  if (existsSync(device)) return [];
  const todo = "use qemu, with timeoutFactor 10, or load the module kvm-intel or kvm-amd";
  return [mistakeAt("libvirt.domainType", `without ${device} on this computer`, "kvm", todo)];
}

function problemOfFirmware({ libvirt: { firmware } }: LibvirtSettings): string[] {
  const missing = Object.values(uefi).find((file) => !existsSync(file));
  if (firmware === "bios" || missing === undefined) return [];
  const todo = `install ovmf, which has ${missing}, or use bios`;
  return [mistakeAt("libvirt.firmware", "not on this computer", firmware, todo)];
}

/** The folder of pools has room for an image and for what these machines need at least; their disks take more as they fill. */
export function problemOfRoom(
  folder: string,
  imageMiB: number,
  machines: readonly { readonly role: Role }[],
): string[] {
  const needed = machines.reduce((sum, { role }) => sum + room[role].diskMiB, imageMiB);
  const free = freeMiB(folder);
  if (free === undefined || free >= needed) return [];
  const wrong = `without the room of ${needed} MiB that the image and ${machines.length} new machines need`;
  const todo = "free some, or choose another folder";
  return [mistakeAt("libvirt.poolFolder", wrong, `${free} MiB in ${folder}`, todo)];
}

/** The path of the verified copy of an image, relative to the project's folder. */
export function copyOf({ sha256 }: Image): string {
  return `.cache/images/${sha256}`;
}

/** An image of a server is verified when it is downloaded, before anything is made from it. */
async function problemOfImage({ source, sha256 }: Image, copy: string): Promise<string[]> {
  const where = "libvirt.image";
  if (isRemote(source) || existsSync(copy)) return [];
  if (!existsSync(source)) {
    const todo = "put the image there, or name another one";
    return [mistakeAt(where, "no such file", source, todo)];
  }
  const hash = createHash("sha256");
  await pipeline(createReadStream(source), hash);
  const sum = hash.digest("hex");
  if (sum === sha256) return [];
  const wrong = `${source} has another checksum than ${sha256}`;
  return [mistakeAt(where, wrong, sum, "take the image anew, or correct its checksum")];
}

function sizeOf({ source }: Image): number {
  const size = isRemote(source) ? undefined : statSync(source, { throwIfNoEntry: false })?.size;
  return Math.ceil((size ?? 0) / mib);
}

/** The free room of a folder, or of the nearest folder above it that is there. */
function freeMiB(folder: string): number | undefined {
  if (!existsSync(folder)) {
    const above = path.dirname(folder);
    return above === folder ? undefined : freeMiB(above);
  }
  const { bavail, bsize } = statfsSync(folder);
  return Math.floor((bavail * bsize) / mib);
}
