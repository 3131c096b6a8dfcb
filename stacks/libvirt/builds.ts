import type { MachineFacts } from "../../services/cluster-facts.ts";
import { machinesOf } from "../../settings/cluster.ts";
import { Builds } from "../builds.ts";
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

/** Remembers what each machine is made from. Without an image, which only machines that are there do without, a new build has an empty one. */
export function libvirtBuilds(
  settings: LibvirtSettings,
  { source = "", sha256 = "" }: Partial<Image>,
): Builds<Build> {
  const { sizes, domainType, firmware, machines: own } = settings.libvirt;
  const machines = machinesOf(settings).map(({ name, address }) => ({ name, address }));
  return new Builds("builds", {
    settings,
    where: "libvirt.machines",
    own,
    today: ({ role }) => ({ source, sha256, ...sizes[role], domainType, firmware, machines }),
  });
}
