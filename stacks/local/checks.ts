import path from "node:path";
import type { z } from "zod";
import { oldestLinuxForNftables } from "../../services/kube-proxy.ts";
import type { Subject } from "../../settings/checks/subject.ts";
import type { Sound } from "../../settings/draft.ts";
import { holds, nthAddress } from "../../settings/ipv4.ts";
import { isAtLeast } from "../../settings/kernel.ts";
import { isDnsLabel } from "../../settings/label.ts";
import { isServer } from "../../settings/mirror.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import type { Draft } from "../../settings/schema.ts";
import { gateway } from "../network-checks.ts";
import type { localGroup } from "./settings.ts";

type LocalSubject = Subject<Draft & Sound<{ local: z.output<typeof localGroup> }>>;

/** The mistakes of settings for machines on this computer. */
export function check(subject: LocalSubject): string[] {
  const checks = [
    stackName,
    architecture,
    mirrorFolder,
    endpointHost,
    gateway,
    kubeProxyMode,
    sshPorts,
  ];
  return checks.flatMap((check) => check(subject));
}

/** The stack's name can be the name of a network namespace, in which the machines are. */
function stackName({ context: { stack } }: LocalSubject): string[] {
  if (isDnsLabel(stack) && stack.length <= 40) return [];
  const wrong = "not usable as the name of a network namespace";
  const todo = "name the stack with up to 40 small letters, digits and inner dashes, like local";
  return [mistakeAt("stack", wrong, stack, todo)];
}

/** Machines on this computer have its architecture. */
function architecture({ draft, context: { arch } }: LocalSubject): string[] {
  if ((draft.architecture ?? arch) === arch) return [];
  const todo = `leave it out or use ${arch}`;
  return [mistakeAt("architecture", "not this computer's", draft.architecture, todo)];
}

/** The mirror is a folder: machines on this computer have no way out to a server. */
function mirrorFolder({ draft, context: { cacheDir } }: LocalSubject): string[] {
  const mirror = draft.artifacts?.mirror;
  if (mirror === undefined) {
    if (path.isAbsolute(cacheDir)) return [];
    return [mistakeAt("KTHW_CACHE", "not an absolute folder", cacheDir, "start it with a slash")];
  }
  if (!isServer(mirror)) return [];
  const wrong = "out of reach for machines on this computer";
  return [mistakeAt("artifacts.mirror", wrong, mirror, "copy it into a folder and write that")];
}

/** Machines on this computer have no way out to a load balancer of others. */
function endpointHost({ draft: { endpoint } }: LocalSubject): string[] {
  if (endpoint?.host === undefined) return [];
  const wrong = "out of reach for machines on this computer";
  const todo = "list load balancers instead, or one controller and no load balancer";
  return [mistakeAt("endpoint.host", wrong, endpoint.host, todo)];
}

/** The kernel of this computer, which its machines share, supports the mode of kube-proxy. */
function kubeProxyMode({ draft: { kubeProxy }, context: { kernel } }: LocalSubject): string[] {
  const mode = kubeProxy?.mode;
  const where = "kubeProxy.mode";
  const shared = `this computer's kernel ${kernel.release}, which its machines share, `;
  if (mode === "nftables" && !isAtLeast(kernel, oldestLinuxForNftables)) {
    const wrong = `${shared}is older than ${oldestLinuxForNftables}`;
    return [mistakeAt(where, wrong, mode, "use iptables, or a newer kernel")];
  }
  if (mode === "ipvs" && !kernel.ipvs) {
    const todo = "use iptables or nftables, or a kernel with ip_vs";
    return [mistakeAt(where, `${shared}has no ip_vs`, mode, todo)];
  }
  return [];
}

/** The SSH port of each machine, `local.sshPortBase` plus the machine's place in `machineCidr`, is a free port. */
function sshPorts({ draft: { local }, machineCidr, addresses }: LocalSubject): string[] {
  const base = local?.sshPortBase;
  if (base === undefined || !machineCidr) return [];
  const places = addresses
    .map(({ value }) => value)
    .filter((address) => holds(machineCidr, address))
    .map((address) => address - machineCidr.first);
  const highest = Math.max(0, ...places);
  if (base + highest > 65_535) {
    const wrong = `too high for the SSH port of ${nthAddress(machineCidr, highest)}`;
    const todo =
      highest < 65_535
        ? `use at most ${65_535 - highest}`
        : "choose a machineCidr in which that address comes earlier";
    return [mistakeAt("local.sshPortBase", wrong, base, todo)];
  }
  const clash = places.find((place) => base + place === local?.apiPort);
  if (clash === undefined) return [];
  const wrong = `also the SSH port of ${nthAddress(machineCidr, clash)}`;
  return [mistakeAt("local.apiPort", wrong, local?.apiPort, "choose another port")];
}
