import { admissionConfiguration, auditPolicy, webhooks } from "./checks/api-server.ts";
import { architecture } from "./checks/architecture.ts";
import {
  certificateTimes,
  externalAuthority,
  nextAuthority,
  rotatedAuthority,
} from "./checks/certificates.ts";
import { dnsForwarders } from "./checks/dns-forwarders.ts";
import { encryptionKeys } from "./checks/encryption-keys.ts";
import { endpointAddress, endpointKind, loadBalancerCount } from "./checks/endpoint.ts";
import { extraFlags } from "./checks/extra-flags.ts";
import { jwtAuthenticators } from "./checks/jwt.ts";
import { kubeletFields } from "./checks/kubelet-fields.ts";
import { machineNames, machinesOnce, maxPods, memberCount } from "./checks/machines.ts";
import { machineRanges, networkSecrets, proxyMode } from "./checks/pod-network.ts";
import {
  poolDiscovery,
  poolMachines,
  poolNames,
  staticPodNames,
  taintsOnce,
} from "./checks/pools.ts";
import { proxyOfExceptions } from "./checks/proxy.ts";
import {
  dnsAddress,
  machineAddresses,
  machinePodRanges,
  machineRange,
  podRange,
  rangesApart,
  rangesUsable,
  serviceRange,
} from "./checks/ranges.ts";
import { registries } from "./checks/registries.ts";
import type { Subject } from "./checks/subject.ts";
import { joinTokens } from "./checks/tokens.ts";

const checks: readonly ((subject: Subject) => string[])[] = [
  architecture,
  rangesApart,
  rangesUsable,
  machineRange,
  podRange,
  serviceRange,
  dnsAddress,
  dnsForwarders,
  loadBalancerCount,
  endpointKind,
  memberCount,
  poolMachines,
  poolNames,
  poolDiscovery,
  joinTokens,
  machinesOnce,
  machineNames,
  machineAddresses,
  endpointAddress,
  machineRanges,
  machinePodRanges,
  networkSecrets,
  proxyMode,
  kubeletFields,
  maxPods,
  extraFlags,
  jwtAuthenticators,
  auditPolicy,
  admissionConfiguration,
  webhooks,
  taintsOnce,
  staticPodNames,
  proxyOfExceptions,
  registries,
  certificateTimes,
  externalAuthority,
  rotatedAuthority,
  nextAuthority,
  encryptionKeys,
];

/** The mistakes that show only when several settings are compared, on any platform. */
export function check(subject: Subject): string[] {
  return checks.flatMap((check) => check(subject));
}
