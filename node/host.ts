import { createHash } from "node:crypto";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { agentScript } from "./agent.ts";
import { asRoot, sudoVariable } from "./become-root.ts";
import { derive } from "./derive.ts";
import {
  type Bundle,
  defaultTimeoutSeconds,
  describeBundle,
  describeService,
  type File,
  type Service,
} from "./description.ts";
import { type Download, describeDownloads, proxyFile } from "./downloads.ts";
import { formerly } from "./former-type.ts";
import { gateLimitSeconds } from "./gate-limit.ts";
import type { Machine } from "./machine.ts";
import { quoted } from "./shell.ts";

export interface HostArgs {
  readonly machine: Machine;
  /** Lines of a shell that are run before anything is placed on the machine, and that fail on a machine that must not be changed; none if empty. */
  readonly requires: string;
  /** Binaries and images that the machine needs. */
  readonly downloads: readonly Download[];
  /** Variables such as https_proxy, by which the machine downloads; undefined without a proxy. */
  readonly proxy?: pulumi.Input<string> | undefined;
  /** A number that the operator raises to have every service checked and mended. */
  readonly reassert: number;
  /** What timeouts on the machine are multiplied by. */
  readonly timeoutFactor: number;
}

/** A file whose text is a secret or unknown before the first update. */
export type BundleFile = Omit<File, "text" | "live"> & { readonly text: pulumi.Input<string> };

/** Options of a resource that changes a host. */
export interface PlaceOptions {
  readonly parent: pulumi.Resource;
  /** Resources that must be done first; which these are may turn out during the update. */
  readonly dependsOn?: readonly pulumi.Input<pulumi.Resource>[];
}

/** A machine with the agent and the binaries for its services. Machines are changed through this class alone. */
export class Host extends pulumi.ComponentResource {
  readonly machine: Machine;
  /** The resource after which the machine has all its binaries and images. */
  readonly ready: pulumi.Resource;
  /** A number that the operator raises to have every service checked and mended. */
  readonly reassert: number;
  readonly #placed: pulumi.Resource;
  readonly #timeoutFactor: number;

  constructor(name: string, args: HostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:Host", name, {}, formerly("Node", opts));
    this.machine = args.machine;
    this.reassert = args.reassert;
    this.#timeoutFactor = args.timeoutFactor;
    const install = [
      ...(args.requires === ""
        ? []
        : [`sh -c ${quoted(args.requires)} </dev/null && ${asRoot(args.machine)}`]),
      "install -D -m 0755 /dev/stdin /usr/local/bin/kthw-node",
    ].join("");
    this.#placed = this.#command(
      "node",
      {
        create: install,
        update: this.#rerun(install),
        delete: "kthw-node uninstall",
        stdin: agentScript,
        // An uninstall prints what it keeps; the other commands print nothing.
        ...(args.machine.resource === undefined && { logging: "stdout" }),
      },
      { parent: this, dependsOn: args.machine.ready },
    );
    const proxied =
      args.proxy === undefined
        ? this.#placed
        : this.bundle(
            { name: "proxy", files: [{ path: proxyFile, text: args.proxy, mode: "0600" }] },
            { parent: this },
          );
    this.ready =
      args.downloads.length === 0
        ? proxied
        : this.#command(
            "binaries",
            {
              create: "kthw-node fetch",
              update: this.#rerun("kthw-node fetch"),
              stdin: describeDownloads(args.downloads),
            },
            { parent: this, dependsOn: [proxied] },
          );
    // Registered at once, so that the state has the outputs even after a failed update: the operator needs a shell to find the cause.
    const { name: title, ssh, secrets } = args.machine;
    this.registerOutputs({ name: title, ssh, ...(secrets && { secrets: pulumi.secret(secrets) }) });
  }

  /** Puts keys and certificates on the machine at the same instant. A comment of the command holds the description without texts. */
  bundle(
    bundle: Omit<Bundle, "files"> & { readonly files: readonly BundleFile[] },
    opts: PlaceOptions,
  ): pulumi.Resource {
    const stdin = derive(
      bundle.files.map(({ text }) => text),
      (...texts) =>
        describeBundle({
          ...bundle,
          files: bundle.files.map((file, index) => ({ ...file, text: texts[index]! })),
        }),
    );
    const outline = describeBundle({
      ...bundle,
      files: bundle.files.map((file) => ({ ...file, text: "" })),
    });
    return this.#command(
      `${bundle.name}-pki`,
      {
        create: `kthw-node apply\n${outline.replaceAll(/^(?=.)/gm, "# ")}`,
        update: this.#rerun("kthw-node apply"),
        delete: "kthw-node remove",
        stdin: pulumi.secret(stdin),
      },
      { ...opts, dependsOn: [this.#placed, ...(opts.dependsOn ?? [])] },
    );
  }

  /** Puts a service on the machine and starts the service; a later change is undone unless the service becomes healthy again. */
  service(
    service: Service,
    opts: PlaceOptions & {
      /** Public certificates that the service uses: a change restarts the service. */
      readonly certificates?: readonly pulumi.Input<string>[];
      /** Whether the first start, too, waits until the service is healthy; by default a gate waits. */
      readonly waits?: boolean;
    },
  ): pulumi.Resource {
    return this.#command(
      service.name,
      {
        create: opts.waits ? "kthw-node apply --wait" : "kthw-node apply",
        update: this.#rerun("kthw-node apply --wait", opts.certificates),
        delete: "kthw-node remove",
        stdin: describeService(this.#stretched(service)),
      },
      { parent: opts.parent, dependsOn: [this.#placed, ...(opts.dependsOn ?? [])] },
    );
  }

  /** A gate: done once these services of the machine are healthy and, where given, a shell command succeeds within the gate's limit. */
  healthy(
    name: string,
    services: readonly string[],
    opts: PlaceOptions & {
      readonly until?: string;
      /** How long the command may take, in seconds. @default the limit of all gates */
      readonly withinSeconds?: number;
      /** Whether the command changes the machine, and so must run again on a rebuilt machine. */
      readonly again?: boolean;
    },
  ): pulumi.Resource {
    const limit = (opts.withinSeconds ?? gateLimitSeconds) * this.#timeoutFactor;
    const until =
      opts.until === undefined ? "" : ` --within ${limit} --until ${quoted(opts.until)}`;
    const create = `${["kthw-node wait", ...services].join(" ")}${until}`;
    return this.#command(
      name,
      { create, ...(opts.again && { update: this.#rerun(create) }) },
      { parent: opts.parent, dependsOn: opts.dependsOn ?? [] },
    );
  }

  /** Runs shell commands that look at the machine and change nothing, and that fail on a machine that must not be changed. */
  inspects(name: string, commands: string, opts: PlaceOptions): pulumi.Resource {
    return this.#command(
      name,
      { create: `sh -c ${quoted(commands)}` },
      { parent: opts.parent, dependsOn: [this.#placed, ...(opts.dependsOn ?? [])] },
    );
  }

  /** Asks the machine, which a shell command does that changes nothing; asked again where what the question is about has changed. */
  asks(
    name: string,
    command: string,
    opts: PlaceOptions & { readonly about: string },
  ): remote.Command {
    const create = `sh -c ${quoted(command)} # about ${fingerprint([opts.about])}`;
    return this.#command(
      name,
      { create, update: this.#rerun(create) },
      { parent: opts.parent, dependsOn: [this.#placed, ...(opts.dependsOn ?? [])] },
    );
  }

  #stretched(service: Service): Service {
    if (this.#timeoutFactor === 1) return service;
    const { timeoutSeconds = defaultTimeoutSeconds } = service;
    return { ...service, timeoutSeconds: timeoutSeconds * this.#timeoutFactor };
  }

  /** A command for updates, run as root. Its comment lists the reasons to run the command again: a change of the comment does so. */
  #rerun(
    command: string,
    certificates: readonly pulumi.Input<string>[] = [],
  ): pulumi.Output<string> {
    return derive([this.machine.id, ...certificates], (id, ...pems) =>
      [
        `${asRoot(this.machine)}${command} # machine ${id}`,
        ...(pems.length === 0 ? [] : [`certificates ${fingerprint(pems)}`]),
        `reassert ${this.reassert}`,
      ].join(", "),
    );
  }

  /**
   * A command for deletes. A host that outlives the stack may have been reinstalled and lack the agent: then there is nothing to
   * remove, and standard input is still read to its end.
   */
  #unlessGone(command: string): string {
    if (this.machine.resource !== undefined) return command;
    return `if [ -e /usr/local/bin/kthw-node ]; then ${command}; else cat >/dev/null; fi`;
  }

  #command(
    name: string,
    args: {
      readonly create: string;
      readonly update?: pulumi.Output<string>;
      readonly delete?: string;
      readonly stdin?: pulumi.Input<string>;
      readonly logging?: remote.Logging;
    },
    opts: Required<PlaceOptions>,
  ): remote.Command {
    const { machine } = this;
    const root = asRoot(machine);
    const password = machine.secrets?.sudoPassword;
    return new remote.Command(
      `${machine.name}:${name}`,
      {
        connection: machine.connection,
        addPreviousOutputInEnv: false,
        logging: "none",
        ...(password !== undefined && {
          environment: { [sudoVariable]: pulumi.secret(password) },
        }),
        ...args,
        create: root + args.create,
        ...(args.delete !== undefined && { delete: this.#unlessGone(root + args.delete) }),
      },
      {
        parent: opts.parent,
        dependsOn: [...opts.dependsOn],
        ...(machine.resource && { deletedWith: machine.resource }),
      },
    );
  }
}

function fingerprint(pems: readonly string[]): string {
  return createHash("sha256").update(pems.join("")).digest("hex").slice(0, 12);
}
