/** A resource provider as plain objects, served over the provider protocol. */
import grpc from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engine from "@pulumi/pulumi/proto/engine_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import service from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as Provider from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import status from "@pulumi/pulumi/proto/status_pb.js";
import any from "google-protobuf/google/protobuf/any_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type { Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import { clientOptions, credentials, engineAddress, serve, unary } from "./plugin.ts";
import { type Failures, mistakes, type Shape } from "./shape.ts";
import {
  bare,
  below,
  type Change,
  changes,
  clean,
  markedLike,
  type Properties,
  property,
} from "./values.ts";

/** The resource that is worked on, and what the work may use. */
export interface Context {
  readonly urn: string;
  readonly name: string;
  /** Shows a line beside the resource while it is worked on. */
  log(line: string): void;
  /** Shows a warning that stays. */
  warn(line: string): void;
  /** Aborted when the user interrupts the run, or when the resource's time is over. */
  readonly signal: AbortSignal;
  /** The seconds that the program grants this work; 0: as many as are usual. */
  readonly timeout: number;
}

/** A resource as it stands: its properties are its inputs and its outputs, without marks of secrecy. */
export interface State {
  readonly id: string;
  readonly properties: Properties;
  readonly inputs: Properties;
}

/** A resource that has just been made, and its outputs alone. */
export interface Made {
  readonly id: string;
  readonly outputs: Properties;
}

/** What a resource is given before anything is known of it. */
export interface Given {
  readonly name: string;
  /** The inputs with their marks of secrecy. */
  readonly inputs: Properties;
  /** The inputs of the resource's last state, or nothing where there is none. */
  readonly old: Properties | undefined;
  /** Bytes that are the same in a preview and in the update after it. */
  readonly seed: Uint8Array;
}

/** One kind of resource. */
export interface Resource {
  /** The inputs that are understood: all others are refused. */
  readonly inputs: Shape;
  /** The inputs with their defaults, still marked; called only with inputs that follow their shape. */
  check?(given: Given): Properties;
  /** What is wrong with the inputs beyond their shape. */
  refuse?(inputs: Properties): Failures;
  /** Whether a change at this property path needs a new resource. */
  replaces(path: string, state: State, inputs: Properties): boolean;
  /** Whether the old resource has to go before a new one can be made. */
  deleteBeforeReplace?(state: State, inputs: Properties): boolean;
  /** Differences for reasons other than changed inputs. */
  drift?(state: State, inputs: Properties): Map<string, Change>;
  /** The outputs as far as they are known beforehand, of a new resource or of one about to change. */
  plan(
    inputs: Properties,
    state: State | undefined,
    context: Context,
  ): Properties | Promise<Properties>;
  create(inputs: Properties, context: Context): Promise<Made>;
  /** The resource as it is now; nothing when it is gone. Left out: as it was. */
  read?(
    state: State,
    context: Context,
  ): Promise<{ inputs: Properties; outputs: Properties } | undefined>;
  /** The outputs after a change. */
  update?(state: State, inputs: Properties, context: Context): Promise<Properties>;
  delete?(state: State, context: Context): Promise<void>;
}

/** A question that a program asks without making anything. */
export interface Question {
  /** The arguments that are understood: all others are refused. */
  readonly inputs: Shape;
  answer(inputs: Properties): Promise<Properties>;
}

/** A provider plugin: its kinds of resources, the questions that it answers, and its own configuration. */
export interface Plugin {
  readonly name: string;
  readonly version: string;
  readonly resources: Record<string, Resource>;
  /** By their tokens; left out: there are none. */
  readonly functions?: Record<string, Question>;
  /** The provider's own settings that are understood; left out: there are none. */
  readonly config?: Shape;
  configure?(config: Properties): void | Promise<void>;
  /** Whether a changed setting means another provider, so that all its resources are replaced. */
  replacedBy?(old: Properties, now: Properties): string[];
  close?(): void;
}

/** The resource exists but has not become what was asked for: it is kept, and tried again next time. */
export class Unfinished extends Error {
  readonly made: Made;
  /** The inputs as they are now, where they were read. */
  readonly inputs: Properties | undefined;
  constructor(message: string, made: Made, inputs?: Properties) {
    super(message);
    this.made = made;
    this.inputs = inputs;
  }
}

/** As they arrive, with their marks of secrecy; what goes back into the state is made from these. */
const whole = (struct: Struct | undefined): Properties =>
  (struct?.toJavaScript() ?? {}) as Properties;
const marked = (struct: Struct | undefined): Properties => clean(whole(struct));
const plain = (struct: Struct | undefined): Properties => bare(marked(struct)) as Properties;
const pack = (properties: Properties): Struct => structs.Struct.fromJavaScript(properties as never);
/** Outputs over inputs, with the inputs' marks; outputs may hold the inputs once more as `__inputs`. */
const merge = (inputs: Properties, outputs: Properties): Properties => ({
  ...inputs,
  ...(markedLike(outputs, { ...inputs, __inputs: inputs }) as Properties),
});
/** A resource as the engine remembers it. */
const stateOf = (
  request: { getId(): string },
  properties: Struct | undefined,
  inputs: Struct | undefined,
): State => ({
  id: request.getId(),
  properties: bare(whole(properties)) as Properties,
  inputs: plain(inputs),
});

const kinds = {
  add: [pb.PropertyDiff.Kind.ADD, pb.PropertyDiff.Kind.ADD_REPLACE],
  delete: [pb.PropertyDiff.Kind.DELETE, pb.PropertyDiff.Kind.DELETE_REPLACE],
  update: [pb.PropertyDiff.Kind.UPDATE, pb.PropertyDiff.Kind.UPDATE_REPLACE],
} as const;

const same = (): Provider.DiffResponse => {
  const reply = new pb.DiffResponse();
  reply.setChanges(pb.DiffResponse.DiffChanges.DIFF_NONE);
  return reply;
};

function checked(inputs: Properties, failures: Failures): Provider.CheckResponse {
  const reply = new pb.CheckResponse();
  reply.setInputs(pack(inputs));
  for (const [property, reason] of Object.entries(failures)) {
    const failure = new pb.CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    reply.addFailures(failure);
  }
  return reply;
}

function unfinished(error: Unfinished, old: Properties): Error {
  const given = error.inputs ? (markedLike(error.inputs, old) as Properties) : old;
  const detail = new pb.ErrorResourceInitFailed();
  detail.setId(error.made.id);
  detail.setProperties(pack(merge(given, error.made.outputs)));
  detail.setInputs(pack(given));
  detail.setReasonsList([error.message]);
  const packed = new any.Any();
  packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const whole = new status.Status();
  whole.setCode(grpc.status.UNKNOWN);
  whole.setMessage(error.message);
  whole.addDetails(packed);
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(whole.serializeBinary()));
  return Object.assign(new Error(error.message), { metadata });
}

type Log = (severity: 0 | 1 | 2 | 3, urn: string, line: string, passing: boolean) => Promise<void>;

function connect(address: string): Log {
  const client = new engineService.EngineClient(address, credentials, clientOptions);
  return (severity, urn, line, passing) => {
    const request = new engine.LogRequest();
    request.setSeverity(severity);
    request.setMessage(line);
    request.setUrn(urn);
    request.setEphemeral(passing);
    return new Promise((resolve) => client.log(request, () => resolve()));
  };
}

/** Serves a provider until the engine ends. */
export function provide(provider: Plugin): Promise<void> {
  const self = `the stand-in for the plugin ${provider.name} ${provider.version}`;
  const cancelling = new AbortController();
  const log: Log = engineAddress === undefined ? async () => {} : connect(engineAddress);

  const refuse = (kind: string, token: string, known: object = {}): never => {
    const names = Object.keys(known).join(", ");
    throw new Error(
      `${kind} '${token}' is not implemented by ${self}; it implements ${names === "" ? "none" : names}`,
    );
  };
  const resource = (request: { getType(): string }): Resource =>
    provider.resources[request.getType()] ??
    refuse("resource type", request.getType(), provider.resources);
  const functions = provider.functions ?? {};

  /** Runs work on a resource; what it logs is shown before it ends, in order. */
  const work = async <T>(
    request: { getUrn(): string; getName(): string; getTimeout?(): number },
    given: Properties,
    run: (context: Context) => Promise<T>,
  ): Promise<T> => {
    const seconds = request.getTimeout?.() ?? 0;
    const { INFO, WARNING } = engine.LogSeverity;
    let shown = Promise.resolve();
    const show = (severity: 0 | 1 | 2 | 3, line: string, passing: boolean) => {
      shown = shown.then(() => log(severity, request.getUrn(), line, passing));
    };
    try {
      return await run({
        urn: request.getUrn(),
        name: request.getName(),
        log: (line) => show(INFO, line, true),
        warn: (line) => show(WARNING, line, false),
        timeout: seconds,
        signal:
          seconds > 0
            ? AbortSignal.any([cancelling.signal, AbortSignal.timeout(seconds * 1000)])
            : cancelling.signal,
      });
    } catch (error) {
      throw error instanceof Unfinished ? unfinished(error, given) : error;
    } finally {
      await shown;
    }
  };

  function difference(request: Provider.DiffRequest): Provider.DiffResponse {
    const { replaces, drift, deleteBeforeReplace } = resource(request);
    const inputs = plain(request.getNews());
    const state = stateOf(request, request.getOlds(), request.getOldInputs());
    const changed = changes(state.inputs, inputs);
    const drifted = drift?.(state, inputs) ?? new Map<string, Change>();
    const reply = same();
    for (const [path, kind] of [...changed, ...drifted]) {
      if (below(path, request.getIgnorechangesList())) continue;
      const replacing = replaces(path, state, inputs);
      const one = new pb.PropertyDiff();
      one.setKind(kinds[kind][replacing ? 1 : 0]);
      one.setInputdiff(changed.has(path));
      reply.getDetaileddiffMap().set(path, one);
      // These two name whole properties; only the detailed difference has paths.
      const name = property(path);
      if (!reply.getDiffsList().includes(name)) reply.addDiffs(name);
      if (replacing && !reply.getReplacesList().includes(name)) reply.addReplaces(name);
      reply.setChanges(pb.DiffResponse.DiffChanges.DIFF_SOME);
    }
    reply.setHasdetaileddiff(true);
    if (reply.getReplacesList().length > 0)
      reply.setDeletebeforereplace(deleteBeforeReplace?.(state, inputs) ?? false);
    return reply;
  }

  return serve(
    service.ResourceProviderService as never,
    {
      handshake: unary(() => {
        const reply = new pb.ProviderHandshakeResponse();
        reply.setAcceptSecrets(true);
        return reply;
      }),
      getPluginInfo: unary(() => {
        const reply = new plugin.PluginInfo();
        reply.setVersion(provider.version);
        return reply;
      }),
      getSchema: unary(() => {
        const reply = new pb.GetSchemaResponse();
        const { name, version } = provider;
        const tokens = (known: object) =>
          Object.fromEntries(Object.keys(known).map((token) => [token, {}]));
        reply.setSchema(
          JSON.stringify({
            name,
            version,
            resources: tokens(provider.resources),
            functions: tokens(functions),
          }),
        );
        return reply;
      }),
      checkConfig: unary((request: Provider.CheckRequest) => {
        const given = marked(request.getNews());
        return checked(given, mistakes(provider.config ?? {}, given));
      }),
      diffConfig: unary((request: Provider.DiffRequest) => {
        const [old, now] = [plain(request.getOlds()), plain(request.getNews())];
        const reply = same();
        for (const path of changes(old, now).keys()) {
          reply.setChanges(pb.DiffResponse.DiffChanges.DIFF_SOME);
          reply.addDiffs(property(path));
        }
        reply.setReplacesList(provider.replacedBy?.(old, now) ?? []);
        return reply;
      }),
      configure: unary(async (request: Provider.ConfigureRequest) => {
        await provider.configure?.(plain(request.getArgs()));
        const reply = new pb.ConfigureResponse();
        reply.setSupportspreview(true);
        reply.setAcceptsecrets(true);
        return reply;
      }),
      check: unary((request: Provider.CheckRequest) => {
        const kind = resource(request);
        const inputs = marked(request.getNews());
        const failures = mistakes(kind.inputs, inputs);
        if (Object.keys(failures).length > 0) return checked(inputs, failures);
        const filled =
          kind.check?.({
            name: request.getName(),
            inputs,
            old: request.hasOlds() ? marked(request.getOlds()) : undefined,
            seed: request.getRandomseed_asU8(),
          }) ?? inputs;
        return checked(filled, kind.refuse?.(bare(filled) as Properties) ?? {});
      }),
      diff: unary(difference),
      create: unary(async (request: Provider.CreateRequest) => {
        const given = marked(request.getProperties());
        const inputs = bare(given) as Properties;
        const { plan, create } = resource(request);
        const made = await work(request, given, async (context) =>
          request.getPreview()
            ? { id: "", outputs: await plan(inputs, undefined, context) }
            : create(inputs, context),
        );
        const reply = new pb.CreateResponse();
        reply.setId(made.id);
        reply.setProperties(pack(merge(given, made.outputs)));
        return reply;
      }),
      read: unary(async (request: Provider.ReadRequest) => {
        const { read } = resource(request);
        const given = marked(request.getInputs());
        const properties = whole(request.getProperties());
        const state = stateOf(request, request.getProperties(), request.getInputs());
        const reply = new pb.ReadResponse();
        if (read === undefined) {
          reply.setId(state.id);
          reply.setProperties(pack(properties));
          reply.setInputs(pack(given));
          return reply;
        }
        const found = await work(request, given, (context) => read(state, context));
        if (found === undefined) return reply;
        const inputs = markedLike(found.inputs, given) as Properties;
        reply.setId(state.id);
        reply.setInputs(pack(inputs));
        reply.setProperties(pack(merge(inputs, markedLike(found.outputs, properties) as never)));
        return reply;
      }),
      update: unary(async (request: Provider.UpdateRequest) => {
        const state = stateOf(request, request.getOlds(), request.getOldInputs());
        const given = marked(request.getNews());
        const inputs = bare(given) as Properties;
        const { update, plan } = resource(request);
        const outputs = await work(request, given, async (context) =>
          request.getPreview() || update === undefined
            ? plan(inputs, state, context)
            : update(state, inputs, context),
        );
        const reply = new pb.UpdateResponse();
        reply.setProperties(pack(merge(given, outputs)));
        return reply;
      }),
      delete: unary(async (request: Provider.DeleteRequest) => {
        const state = stateOf(request, request.getProperties(), request.getOldInputs());
        await work(request, {}, async (context) => resource(request).delete?.(state, context));
        return new empty.Empty();
      }),
      invoke: unary(async (request: Provider.InvokeRequest) => {
        const { inputs, answer } =
          functions[request.getTok()] ?? refuse("function", request.getTok(), functions);
        const given = marked(request.getArgs());
        const failures = mistakes(inputs, given);
        const reply = new pb.InvokeResponse();
        reply.setFailuresList(checked(given, failures).getFailuresList());
        if (Object.keys(failures).length === 0)
          reply.setReturn(pack(await answer(bare(given) as Properties)));
        return reply;
      }),
      call: unary((request: Provider.CallRequest) => refuse("method", request.getTok())),
      construct: unary((request: Provider.ConstructRequest) =>
        refuse("component", request.getType()),
      ),
      cancel: unary(() => {
        cancelling.abort(new Error("context canceled"));
        return new empty.Empty();
      }),
    },
    () => provider.close?.(),
  );
}
