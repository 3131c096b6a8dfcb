import path from "node:path";
import { count, flag, group, list, name, oneOf, text, whole } from "../../settings/values.ts";
import { jumpBox, login, operatorEndpoint } from "../ssh-settings.ts";

const size = (vcpus: number, memoryMiB: number, diskGiB: number) =>
  group({
    vcpus: whole(
      1,
      512,
      "not a number of virtual CPUs",
      "use a whole number from 1 to 512",
    ).default(vcpus),
    memoryMiB: count.default(memoryMiB),
    diskGiB: count.default(diskGiB),
  }).prefault({});

/** Virtual machines of libvirt. */
export const libvirtGroup = group({
  uri: text(
    (text) => /^qemu(\+(ssh|tls|tcp|libssh2?|unix))?:\/\/[^\s/]*\/system(\?\S*)?$/.test(text),
    "not the address of a libvirt with QEMU",
    "write it like qemu:///system or qemu+ssh://root@192.0.2.1/system",
  ).default("qemu:///system"),
  domainType: oneOf(["kvm", "qemu"], "not a type of domain").default("kvm"),
  firmware: oneOf(["bios", "uefi"], "not a firmware").default("bios"),
  autostart: flag.default(true),
  /** The folder on libvirt's computer in which the pool of the stack is a folder. */
  poolFolder: text(
    (text) => path.isAbsolute(text) && text === path.normalize(text) && !text.endsWith("/"),
    "not an absolute folder",
    "write it like /var/lib/libvirt/images",
  ).default("/var/lib/libvirt/images"),
  networkMode: oneOf(["nat", "none", "route", "open"], "not a mode of a network").default("nat"),
  /** Undefined for the image that `make image` builds. */
  image: group({
    source: text(
      (text) => /^(\/|~\/|https?:\/\/)\S+$/.test(text),
      "neither the path of a file nor an http(s) address",
      "write it like /srv/debian-12.qcow2 or https://mirror.example.com/debian-12.qcow2",
    ),
    /** Undefined for a file with a file NAME.sha256 beside it. */
    sha256: text(
      (text) => /^[0-9a-f]{64}$/.test(text),
      "not a SHA-256 checksum",
      "write its 64 small hexadecimal digits, as sha256sum prints them",
    ).optional(),
  }).optional(),
  sizes: group({
    loadBalancer: size(1, 512, 4),
    controller: size(2, 2_048, 10),
    worker: size(2, 1_536, 10),
  }).prefault({}),
  ...login,
  jumpBox: jumpBox.optional(),
  endpoint: operatorEndpoint.optional(),
  machines: list(
    group({
      name: name("worker1"),
      /** Raised to have the machine made anew, as the settings are today. */
      generation: count.default(1),
    }),
  ).default([]),
}).prefault({});
