/**
 * Loaded before Pulumi's SDK, by `nodeargs` in Pulumi.yaml: leaves out what the SDK does that this program has no use for. With a hundred
 * machines that is most of the program's time and memory (docs/architecture.md). What is registered stays the same, to the byte.
 */
import { createRequire } from "node:module";
import { env } from "node:process";
import type * as pulumi from "@pulumi/pulumi";

const program = createRequire(import.meta.url);
const sdk = createRequire(program.resolve("@pulumi/pulumi"));

type Resolve = (
  value: unknown,
  isKnown: boolean,
  isSecret: boolean,
  dependencies?: pulumi.Resource[],
  error?: Error,
) => void;

/** Internal parts of the SDK, which call one another through their exports. */
interface Sdk {
  readonly debuggable: {
    debuggablePromise<T>(promise: Promise<T>, context?: unknown): Promise<T>;
  };
  readonly errors: { isGrpcError(error: Error): boolean };
  readonly log: { debug: typeof pulumi.log.debug };
  readonly output: {
    readonly Output: new (
      resources: pulumi.Resource,
      value: Promise<unknown>,
      isKnown: Promise<boolean>,
      isSecret: Promise<boolean>,
      allResources: Promise<pulumi.Resource[]>,
    ) => pulumi.Output<unknown>;
  };
  readonly resource: { readonly Resource: { callsites(): readonly object[] } };
  readonly rpc: {
    transferProperties(onto: pulumi.Resource, label: string, props: object): object;
  };
  readonly v8Hooks: { isInitializedAsync(): Promise<void> };
}

// The way back to the whole SDK, with the messages of `pulumi up --debug` and the traces of PULUMI_DEBUG_PROMISE_LEAKS.
if (!env.KTHW_WHOLE_SDK) {
  loadLater("./automation"); // which runs Pulumi from within a program
  loadLater("@npmcli/arborist"); // for resources whose provider is code of the program
  loadLater("typescript"); // for the same
  leaveOut({
    debuggable: sdk("./runtime/debuggable"),
    errors: sdk("./errors"),
    log: sdk("./log"),
    output: sdk("./output"),
    resource: sdk("./resource"),
    rpc: sdk("./runtime/rpc"),
    v8Hooks: sdk("./runtime/closure/v8Hooks"),
  });
}

/** Lets a module that is required by the SDK be loaded at the first use of what the module exports. */
function loadLater(id: string): void {
  const file = sdk.resolve(id);
  const exports = new Proxy(
    {},
    {
      get(_, name) {
        if (name === "__esModule") return true;
        delete sdk.cache[file];
        const real = sdk(file) as Record<string | symbol, unknown>;
        return name === "default" && !(name in real) ? real : real[name];
      },
    },
  );
  const module = { id: file, filename: file, path: file, loaded: true, exports };
  sdk.cache[file] = { ...module, children: [], paths: [] } as unknown as NodeJS.Module;
}

function leaveOut({ debuggable, errors, log, output, resource, rpc, v8Hooks }: Sdk): void {
  // A message to the engine for each step of each resource, which the CLI shows with --debug alone.
  log.debug = () => Promise.resolve();

  // A debugger's session from the beginning, for resources whose provider is code of the program: begun at their first one.
  v8Hooks.isInitializedAsync = async () => {};

  // Where in the program each resource was made, which the engine only writes into the state.
  resource.Resource.callsites = () => [];

  // Where in the program each promise was made, for PULUMI_DEBUG_PROMISE_LEAKS. A promise that is never kept fails the program as before.
  const { debuggablePromise } = debuggable;
  debuggable.debuggablePromise = (promise, context) => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      return debuggablePromise(promise, context);
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  };

  // An Output, which is two dozen promises, of each property of each resource: made at the first use, of which most have none.
  rpc.transferProperties = (onto, label, props) => {
    const names = Object.keys(props).filter((name) => name !== "id" && name !== "urn");
    return Object.fromEntries(
      names.map((name) => {
        if (Object.hasOwn(onto, name))
          throw new Error(`Property '${name}' is already initialized on target '${label}'`);
        let settle: Resolve | undefined;
        let settled: Parameters<Resolve> | undefined;
        const made = () => {
          const promise = new Promise<Parameters<Resolve>>((resolve, reject) => {
            settle = (...result) => {
              const error = result[4];
              if (error === undefined) resolve(result);
              // The engine has gone, and the program ends.
              else if (!errors.isGrpcError(error)) reject(error);
            };
          });
          if (settled) settle!(...settled);
          const known = debuggable.debuggablePromise(
            promise,
            `transferProperty(${label}, ${name})`,
          );
          return new output.Output(
            onto,
            known.then(([value]) => value),
            known.then(([, isKnown]) => isKnown),
            known.then(([, , isSecret]) => isSecret),
            known.then(([, , , dependencies]) => dependencies ?? []),
          );
        };
        let property: unknown;
        Object.defineProperty(onto, name, {
          configurable: true,
          enumerable: true,
          get: () => (property ??= made()),
          set: (value) => {
            property = value;
          },
        });
        const resolver: Resolve = (...result) => {
          settled = result;
          settle?.(...result);
        };
        return [name, resolver];
      }),
    );
  };
}
