import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { runtime } from "@pulumi/pulumi";
import { parse } from "yaml";
import { mirrorFiles } from "../../components/downloads.ts";
import { type Description, readDescription } from "../../node/description.ts";
import { type Registration, type Run, record } from "./record.ts";

/** A machine in the settings file. */
export interface MachineSetting {
  name: string;
  address: string;
  podCidr: string;
  kubelet?: Record<string, unknown>;
}

/** The settings file of the local stack, as far as tests change it. */
export interface LocalSettings {
  loadBalancers: { name: string; address: string }[];
  controllers: MachineSetting[];
  workerPools: {
    name: string;
    maxUnavailable?: number;
    join?: string;
    discovery?: string;
    labels?: Record<string, string>;
    taints?: string[];
    machines: MachineSetting[];
  }[];
  [setting: string]: unknown;
}

/** What differs from a first `up` of the local stack. */
export interface Change {
  readonly preview?: boolean;
  readonly settings?: (settings: LocalSettings) => void;
  /** The stack whose settings file is the start. @default "local" */
  readonly stack?: string;
  /** What a provider's function answers. */
  readonly call?: (call: runtime.MockCallArgs) => Record<string, unknown>;
  /** Types and outputs of the resources that an earlier update has left, by URN. */
  readonly state?: Run["state"];
  /** Outputs that differ from what the providers would otherwise compute. */
  readonly outputs?: (resource: runtime.MockResourceArgs) => Record<string, unknown> | undefined;
}

/** Stands in every private key and other secret, so that it can be searched for. */
export const secretMark = "TOP SECRET";

/** A mirror whose files are empty. */
export const mirror = mkdtempSync(path.join(tmpdir(), "kthw-mirror-"));
process.on("exit", () => rmSync(mirror, { recursive: true, force: true }));
const files = [
  ...new Set(
    (["1.36.4", "1.36.3", "1.37.2"] as const).flatMap((version) => mirrorFiles(version, "amd64")),
  ),
];
for (const file of files) {
  mkdirSync(path.join(mirror, path.dirname(file)), { recursive: true });
  writeFileSync(path.join(mirror, file), "");
}
writeFileSync(
  path.join(mirror, "SHA256SUMS"),
  files.map((file, index) => `${String(index).padStart(64, "0")}  ${file}\n`).join(""),
);

/** A real certificate, since the program looks into those of authorities. */
const certificate = readFileSync(new URL("./certificate.pem", import.meta.url), "utf8");

/** What the providers compute at the first `up`. */
export function computed({ type, name, inputs }: runtime.MockResourceArgs) {
  switch (type) {
    case "tls:index/privateKey:PrivateKey":
      return {
        privateKeyPem: `${secretMark} ${name}\n`,
        privateKeyOpenssh: `${secretMark} ${name}\n`,
        publicKeyPem: `public ${name}\n`,
        publicKeyOpenssh: `ssh-ed25519 ${name}\n`,
      };
    case "tls:index/certRequest:CertRequest":
      return { certRequestPem: `${name}\n` };
    case "tls:index/selfSignedCert:SelfSignedCert":
      return { certPem: `certificate ${name}\n${certificate}` };
    case "tls:index/locallySignedCert:LocallySignedCert":
      return { certPem: `certificate ${name}\n` };
    case "random:index/randomPassword:RandomPassword": {
      // The first six letters of a bootstrap token are public.
      const id = createHash("sha256").update(name).digest("hex").slice(0, 6);
      return { result: `${inputs.length === 22 ? id : ""}${secretMark} ${name}` };
    }
    case "pulumi:index:Stash":
      return { output: inputs.input };
    case "command:remote:Command":
      return { stdout: "" };
    case "command:local:Command":
      return { stdout: `output of ${name}` };
    default:
      return {};
  }
}

/** What a program registered, and ways to look around in it. */
export class Graph {
  readonly resources: readonly Registration[];
  readonly #byUrn: ReadonlyMap<string, Registration>;
  readonly #awaited = new Map<string, ReadonlySet<Registration>>();

  constructor(resources: readonly Registration[]) {
    this.resources = resources;
    this.#byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
  }

  at(urn: string): Registration {
    const resource = this.#byUrn.get(urn);
    if (!resource) throw new Error(`nothing was registered as ${urn}`);
    return resource;
  }

  ofType(type: string): Registration[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  /** Every command that runs on a machine, or on the one of that name. */
  commands(machine?: string): Registration[] {
    return this.ofType("command:remote:Command").filter(
      ({ name }) => machine === undefined || machineOf(name) === machine,
    );
  }

  command(name: string): Registration {
    const found = this.commands().find((command) => command.name === name);
    if (!found) throw new Error(`there is no command ${name}`);
    return found;
  }

  /** The component at the top that a resource belongs to, itself if it is one. */
  top(resource: Registration): Registration {
    return resource.parent === "" ? resource : this.top(this.at(resource.parent));
  }

  /** All that must be done before a resource is made. */
  awaited(resource: Registration): ReadonlySet<Registration> {
    let awaited = this.#awaited.get(resource.urn);
    if (!awaited) {
      const direct = resource.dependsOn.map((urn) => this.at(urn));
      awaited = new Set(direct.flatMap((one) => [one, ...this.awaited(one)]));
      this.#awaited.set(resource.urn, awaited);
    }
    return awaited;
  }

  waits(later: string, earlier: string): boolean {
    return this.awaited(this.command(later)).has(this.command(earlier));
  }
}

/** The machine that a resource's name begins with. */
export function machineOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf(":")));
}

/** A command's text on standard input, be it a secret or not. */
export function stdinOf({ inputs }: Registration): string {
  const { stdin = "" } = inputs as { stdin?: string | { secret: string } };
  return typeof stdin === "string" ? stdin : stdin.secret;
}

/** What a command places on its machine; nothing for one that places no service or bundle. */
export function describedBy(command: Registration): Description | undefined {
  const places = /^(sudo -n )?kthw-node apply( --wait)?$/m.test(String(command.inputs.create));
  return places ? readDescription(stdinOf(command)) : undefined;
}

let runs = 0;
let first: ReturnType<typeof runProgram> | undefined;

/** The first update of the local stack. */
export function firstUpdate(): ReturnType<typeof runProgram> {
  first ??= runProgram();
  return first;
}

/** Runs index.ts over mocks with the settings of the local stack. */
export async function runProgram(change: Change = {}) {
  const stack = change.stack ?? "local";
  const file = readFileSync(new URL(`../../Pulumi.${stack}.yaml`, import.meta.url), "utf8");
  const { config } = parse(file) as { config: Record<string, unknown> };
  const settings = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.replace(/^kthw:/, ""), value]),
  ) as LocalSettings;
  change.settings?.(settings);
  const { resources, exports } = await record(
    () => import(`../../index.ts?run=${runs++}`) as Promise<typeof import("../../index.ts")>,
    {
      config: { artifacts: { mirror }, ...settings, architecture: "amd64" },
      preview: change.preview ?? false,
      ...(change.call && { call: change.call }),
      ...(change.state && { state: change.state }),
      outputs: (resource) => ({ ...computed(resource), ...change.outputs?.(resource) }),
    },
  );
  return { graph: new Graph(resources), exports };
}
