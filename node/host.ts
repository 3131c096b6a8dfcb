import { createHash } from "node:crypto";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { agentScript } from "./agent.ts";
import { derive } from "./derive.ts";
import {
  type Bundle,
  describeBundle,
  describeService,
  type File,
  type Service,
} from "./description.ts";
import { type Download, describeDownloads } from "./downloads.ts";
import { formerly } from "./former-type.ts";
import { gateLimitSeconds } from "./gate-limit.ts";
import type { Machine } from "./machine.ts";
import { quoted } from "./shell.ts";

export interface HostArgs {
  readonly machine: Machine;
  /** Binaries and images that the machine needs. */
  readonly downloads: readonly Download[];
  /** Raised by the operator to put every service right again. */
  readonly reassert: number;
}

/** A file whose text is a secret or not known before it exists. */
export type BundleFile = Omit<File, "text" | "live"> & { readonly text: pulumi.Input<string> };

/** Options of what is put on a node. */
export interface PlaceOptions {
  readonly parent: pulumi.Resource;
  /** What must have happened before. */
  readonly dependsOn?: readonly pulumi.Resource[];
}

/** A machine with its binaries, ready to be given services: the one door through which machines are changed. */
export class Host extends pulumi.ComponentResource {
  readonly machine: Machine;
  /** The resource after which the machine can run what it was given. */
  readonly ready: pulumi.Resource;
  /** Raised by the operator to put every service right again. */
  readonly reassert: number;
  readonly #placed: pulumi.Resource;

  constructor(name: string, args: HostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:Host", name, {}, formerly("Node", opts));
    this.machine = args.machine;
    this.reassert = args.reassert;
    this.#placed = this.#command(
      "node",
      {
        create: "install -D -m 0755 /dev/stdin /usr/local/bin/kthw-node",
        update: this.#again("install -D -m 0755 /dev/stdin /usr/local/bin/kthw-node"),
        delete: "kthw-node uninstall",
        stdin: agentScript,
        // What it keeps when it goes it says; before, it says nothing.
        ...(args.machine.resource === undefined && { logging: "stdout" }),
      },
      { parent: this, dependsOn: args.machine.ready },
    );
    this.ready =
      args.downloads.length === 0
        ? this.#placed
        : this.#command(
            "binaries",
            {
              create: "kthw-node fetch",
              update: this.#again("kthw-node fetch"),
              stdin: describeDownloads(args.downloads),
            },
            { parent: this, dependsOn: [this.#placed] },
          );
    // In the state from the first moment on, even of an update that fails: whoever looks for why needs a shell.
    this.registerOutputs({ name: args.machine.name, ssh: args.machine.ssh });
  }

  /** Puts keys and certificates on the machine, all at the same instant; all but their text stands in a comment of the command. */
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
        update: this.#again("kthw-node apply"),
        delete: "kthw-node remove",
        stdin: pulumi.secret(stdin),
      },
      { ...opts, dependsOn: [this.#placed, ...(opts.dependsOn ?? [])] },
    );
  }

  /** Puts a service on the machine and starts it; a later change waits until it is healthy again, and is undone if it does not get so. */
  service(
    service: Service,
    opts: PlaceOptions & {
      /** Public certificates that it uses: others mean a restart. */
      readonly certificates?: readonly pulumi.Input<string>[];
      /** Its first start, too, waits until it is healthy; else a gate does. */
      readonly waits?: boolean;
    },
  ): pulumi.Resource {
    return this.#command(
      service.name,
      {
        create: opts.waits ? "kthw-node apply --wait" : "kthw-node apply",
        update: this.#again("kthw-node apply --wait", opts.certificates),
        delete: "kthw-node remove",
        stdin: describeService(service),
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
      /** The command changes the machine: it runs again on one made anew. */
      readonly again?: boolean;
    },
  ): pulumi.Resource {
    const until =
      opts.until === undefined ? "" : ` --within ${gateLimitSeconds} --until ${quoted(opts.until)}`;
    const create = `kthw-node wait ${services.join(" ")}${until}`;
    return this.#command(
      name,
      { create, ...(opts.again && { update: this.#again(create) }) },
      { parent: opts.parent, dependsOn: opts.dependsOn ?? [] },
    );
  }

  /** What runs again, on the same machine or on one made anew, with the reasons beside it in a comment. */
  #again(
    command: string,
    certificates: readonly pulumi.Input<string>[] = [],
  ): pulumi.Output<string> {
    return derive([this.machine.id, ...certificates], (id, ...pems) =>
      [
        `${command} # machine ${id}`,
        ...(pems.length === 0 ? [] : [`certificates ${fingerprint(pems)}`]),
        `reassert ${this.reassert}`,
      ].join(", "),
    );
  }

  /** A host that was installed anew has nothing to remove; what would be told to kthw-node is read all the same. */
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
    opts: { readonly parent: pulumi.Resource; readonly dependsOn: readonly pulumi.Resource[] },
  ): pulumi.Resource {
    const { machine } = this;
    const asRoot = machine.sudo ? "sudo -n " : "";
    return new remote.Command(
      `${machine.name}:${name}`,
      {
        connection: machine.connection,
        addPreviousOutputInEnv: false,
        logging: "none",
        ...args,
        create: asRoot + args.create,
        ...(args.update && { update: pulumi.interpolate`${asRoot}${args.update}` }),
        ...(args.delete !== undefined && { delete: this.#unlessGone(asRoot + args.delete) }),
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
