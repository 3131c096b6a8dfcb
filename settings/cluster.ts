import { turnOf } from "../components/rotation.ts";
import type { Architecture } from "../components/versions.ts";
import type { Role } from "../services/cluster-facts.ts";
import { isPem, pemOf, readAuthority } from "./authority.ts";
import type { Context } from "./context.ts";
import { isPath, type ReadFile, readGroup } from "./files.ts";
import { nthAddress, parseCidr } from "./ipv4.ts";
import { parseTaint } from "./label.ts";
import { readRegistry } from "./registries.ts";
import type { Parsed } from "./schema.ts";
import { flagTexts } from "./values.ts";

/** A value whose parts cannot be changed. */
export type Frozen<T> = T extends object ? { readonly [Name in keyof T]: Frozen<T[Name]> } : T;

/** The settings of a cluster on any platform, with every default filled in. */
export type ClusterSettings = Frozen<ReturnType<typeof clusterSettings>>;

/** Fills in the defaults that depend on other settings or on this computer, and parses values that have a short form. */
export function clusterSettings(parsed: Parsed, context: Context) {
  const { authority, nextAuthority, rotation, ...validity } = parsed.certificates;
  const authorities = [authority, nextAuthority].flatMap((written) => {
    const result = written && readAuthority(written, context.read);
    return result && "authority" in result ? [result.authority] : [];
  });
  const machines = (list: Parsed["controllers"], pool: Readonly<Record<string, unknown>>) =>
    list.map((machine) => ({
      ...machine,
      /** Fields of KubeletConfiguration that override the program's, those of the machine's pool included. */
      kubelet: { ...pool, ...machine.kubelet },
    }));
  const taints = (list: readonly string[]) => list.map((text) => parseTaint(text)!);
  const flags = ({ extraFlags }: Parsed["scheduler"]) => ({ extraFlags: flagTexts(extraFlags) });
  return {
    ...parsed,
    architecture: parsed.architecture ?? (context.arch as Architecture),
    certificates: {
      ...validity,
      turns: {
        kubernetesCa: turnOf(rotation.kubernetesCa),
        etcdCa: turnOf(rotation.etcdCa),
        frontProxyCa: turnOf(rotation.frontProxyCa),
        serviceAccountKey: turnOf(rotation.serviceAccountKey),
      },
      /** The external authorities, which sign in place of the cluster's own: one, or the former and the next; their keys are secrets. */
      authorities,
    },
    registries: parsed.registries.map((registry) => readRegistry(registry, context.read)),
    apiServer: { ...apiServerSettings(parsed.apiServer, context), ...flags(parsed.apiServer) },
    controllerManager: flags(parsed.controllerManager),
    scheduler: flags(parsed.scheduler),
    dnsAddress: parsed.dnsAddress ?? nthAddress(parseCidr(parsed.serviceCidr)!, 10),
    controllers: machines(parsed.controllers, {}),
    controllerTaints: taints(parsed.controllerTaints),
    workerPools: parsed.workerPools.map(({ kubelet, ...pool }) => ({
      ...pool,
      /** Undefined if the program does not manage the taints. */
      taints: pool.taints && taints(pool.taints),
      discovery: pool.discovery ?? "token",
      machines: machines(pool.machines, kubelet),
    })),
  };
}

/** The settings of the API servers, with the texts of the files that they name. */
function apiServerSettings(parsed: Parsed["apiServer"], { read, isSecret }: Context) {
  const { auditPolicy, admissionConfiguration, jwt, webhooks } = parsed;
  return {
    ...parsed,
    auditPolicy: groupIn(auditPolicy, read),
    admissionConfiguration: groupIn(admissionConfiguration, read),
    jwt: jwt.map((authenticator) => withAuthority(authenticator, read)),
    webhooks: Object.fromEntries(
      Object.entries(webhooks).map(([name, written]) => [
        name,
        {
          /** A secret. */
          kubeconfig: isPath(written) ? read(written) : written,
          /** Whether it stands in plain text in the settings. */
          isPlain: !isPath(written) && !isSecret("apiServer"),
        },
      ]),
    ),
  };
}

function groupIn(
  written: string | undefined,
  read: ReadFile,
): Readonly<Record<string, unknown>> | undefined {
  if (written === undefined) return undefined;
  const result = readGroup(written, read);
  return "group" in result ? result.group : undefined;
}

/** A JWTAuthenticator with the PEM of its authority in place of the path of a file. */
function withAuthority(authenticator: Readonly<Record<string, unknown>>, read: ReadFile) {
  const issuer = authenticator.issuer as { readonly certificateAuthority?: string };
  const { certificateAuthority: written } = issuer;
  if (written === undefined || isPem(written)) return authenticator;
  const pem = pemOf(written, read);
  return {
    ...authenticator,
    issuer: { ...issuer, certificateAuthority: "text" in pem ? pem.text : written },
  };
}

/** All machines of a cluster, each with its role and with its place in the settings. */
export function machinesOf({ loadBalancers, controllers, workerPools }: ClusterSettings) {
  const as = <T extends object>(role: Role, place: string, machines: readonly T[]) =>
    machines.map((machine, index) => ({
      /** A load balancer has no range of pods. */
      podCidr: undefined,
      ...machine,
      role,
      where: `${place}[${index}]`,
    }));
  return [
    ...as("loadBalancer", "loadBalancers", loadBalancers),
    ...as("controller", "controllers", controllers),
    ...workerPools.flatMap(({ machines }, index) =>
      as("worker", `workerPools[${index}].machines`, machines),
    ),
  ];
}
