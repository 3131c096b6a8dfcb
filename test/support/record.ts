import * as pulumi from "@pulumi/pulumi";

/** A resource as the program registered it. */
export interface Registration {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  /** URN; empty at the top. */
  readonly parent: string;
  /** A secret shows as `{ secret: value }`, what is unknown in a preview as `unknown`. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** URNs of all that it waits for: `dependsOn` and the resources that its inputs come from. */
  readonly dependsOn: readonly string[];
  /** URN; empty unless given. */
  readonly deletedWith: string;
  readonly ignoreChanges: readonly string[];
  /** URNs that it had in earlier versions. */
  readonly aliases: readonly string[];
  readonly replaceOnChanges: readonly string[];
  /** Another value replaces it. */
  readonly replacementTrigger: unknown;
  readonly retainOnDelete: boolean;
  readonly deleteBeforeReplace: boolean;
  /** How long the provider may take to create it; empty unless given. */
  readonly createTimeout: string;
  /** URN; empty unless the program chose one. */
  readonly provider: string;
}

/** How a program is run. */
export interface Run {
  /** Settings by name, in the project's namespace. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly preview?: boolean;
  /** What a provider would compute, once a resource exists; those that its class calls secret become so. */
  readonly outputs?: (resource: pulumi.runtime.MockResourceArgs) => Record<string, unknown>;
  /** What a provider's function answers. */
  readonly call?: (call: pulumi.runtime.MockCallArgs) => Record<string, unknown>;
  /** Types and outputs of the resources that an earlier update has left, by URN. */
  readonly state?: Readonly<Record<string, { readonly type: string; readonly outputs: object }>>;
}

/** Stands for an input that a preview does not know. */
export const unknown = pulumi.runtime.unknownValue;

/** Runs a program against mocks and returns what it registered, in order, and what it exports. */
export async function record<T>(
  program: () => Promise<T>,
  run: Run = {},
): Promise<{ resources: Registration[]; exports: T }> {
  const resources: Registration[] = [];
  const errors: unknown[] = [];
  const secretOutputs = new Map<string, string[]>();
  const preview = run.preview ?? false;
  // Pulumi notes for each of its promises where it was made: thousands of look-ups in source maps.
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = (error, calls) =>
    [error, ...calls.map((call) => call.getFunctionName())].join("\n    at ");
  await pulumi.runtime.setMocks(
    {
      call: (call) => {
        if (call.token === "pulumi:pulumi:readStackResourceOutputs")
          return { outputs: run.state ?? {} };
        if (run.call) return run.call(call);
        throw new Error(`no mock for the call ${call.token}`);
      },
      newResource: (resource) => {
        const { type, name, inputs } = resource;
        const secrets = secretOutputs.get(`${type} ${name}`) ?? [];
        const outputs = Object.entries(preview ? {} : (run.outputs?.(resource) ?? {})).filter(
          ([, value]) => value !== undefined,
        );
        return {
          id: preview ? undefined : `${name}-id`,
          state: {
            ...inputs,
            ...Object.fromEntries(
              outputs.map(([key, value]) => [
                key,
                secrets.includes(key) ? pulumi.secret(value) : value,
              ]),
            ),
          },
        };
      },
    },
    "kthw",
    "mocks",
    preview,
    "organization",
  );
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries(run.config ?? {}).map(([key, value]) => [
        `kthw:${key}`,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    ),
  );

  // Mocks are told neither parents nor options; the monitor is.
  // biome-ignore lint/suspicious/noExplicitAny: the monitor's messages have no public type
  const monitor = pulumi.runtime.getMonitor() as any;
  const register = monitor.registerResource.bind(monitor);
  // biome-ignore lint/suspicious/noExplicitAny: as above
  monitor.registerResource = (request: any, done: (error: unknown, response: any) => void) => {
    secretOutputs.set(
      `${request.getType()} ${request.getName()}`,
      request.getAdditionalsecretoutputsList(),
    );
    // biome-ignore lint/suspicious/noExplicitAny: as above
    register(request, (error: unknown, response: any) => {
      if (error) {
        errors.push(error);
      } else {
        resources.push({
          type: request.getType(),
          name: request.getName(),
          urn: response.getUrn(),
          parent: request.getParent(),
          inputs: reveal(request.getObject().toJavaScript()) as Record<string, unknown>,
          dependsOn: request.getDependenciesList(),
          deletedWith: request.getDeletedwith(),
          ignoreChanges: request.getIgnorechangesList(),
          // biome-ignore lint/suspicious/noExplicitAny: as above
          aliases: request.getAliasesList().map((alias: any) => alias.getUrn()),
          replaceOnChanges: request.getReplaceonchangesList(),
          replacementTrigger: request.getReplacementTrigger()?.toJavaScript(),
          retainOnDelete: request.getRetainondelete(),
          deleteBeforeReplace: request.getDeletebeforereplace(),
          createTimeout: request.getCustomtimeouts()?.getCreate() ?? "",
          // An id follows, which is another one in each preview.
          provider: request.getProvider().replace(/::[^:]*$/, ""),
        });
      }
      done(error, response);
    });
  };

  try {
    const exports = await program();
    await pulumi.runtime.disconnect();
    if (errors.length > 0) throw errors[0];
    return { resources, exports };
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
}

/** Shows which values are secret. */
function reveal(value: unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value))
    return { secret: reveal(pulumi.runtime.unwrapRpcSecret(value)) };
  if (Array.isArray(value)) return value.map(reveal);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, reveal(one)]));
  }
  return value;
}
