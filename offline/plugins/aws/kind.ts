/** What all kinds of resources of this plugin have in common. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Context,
  type Made,
  type Resource,
  type State,
  Unfinished,
} from "../protocol/provider.ts";
import { type Failures, mapOf, type Shape, text } from "../protocol/shape.ts";
import {
  below,
  changes,
  hasUnknown,
  isObject,
  type Properties,
  property,
  unknown,
  type Value,
} from "../protocol/values.ts";
import { account, codeOf, type Tags } from "./account.ts";
import { ownTags, type Tagging } from "./tags.ts";

/** What a change is about. */
export interface Edit {
  readonly id: string;
  readonly inputs: Properties;
  readonly state: State;
  /** Whether a property is another one than before. */
  has(...names: string[]): boolean;
}

/** What differs between the kinds of resources. */
export interface Sort {
  /** The name in errors, in the words of the real plugin. */
  readonly label: string;
  readonly inputs: Shape;
  /** The property paths whose change needs a new resource; nothing: all of them. */
  readonly fixed?: readonly string[];
  /** The property with a name that no two resources can have. */
  readonly unique?: string;
  /** The outputs that are known only once the resource exists. */
  readonly outputs: readonly string[];
  readonly tagging?: Tagging;
  refuse?(inputs: Properties): Failures;
  /** Replacements that the path alone does not decide. */
  replaces?(path: string, state: State, inputs: Properties): boolean;
  /** Whether the state shows that something was changed elsewhere, by property path. */
  strayed?(state: State): string[];
  /** Makes the resource; returns the id. */
  create(inputs: Properties, tags: Tags, context: Context): Promise<string>;
  /** What is done before the resource is as it was asked for; when that fails, the resource is kept. */
  complete?(id: string, inputs: Properties, tags: Tags, context: Context): Promise<void>;
  /** The resource's properties, and its tags as `tagsAll`; nothing when it is gone. */
  find(id: string, properties: Properties): Promise<Properties | undefined>;
  update?(edit: Edit, context: Context): Promise<void>;
  delete(state: State, context: Context): Promise<void>;
}

/** Waits until something is so; until the user or the time ends it. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  { signal, timeout }: Pick<Context, "signal" | "timeout">,
): Promise<T> {
  const end = Date.now() + (timeout > 0 ? timeout : 600) * 1000;
  for (let pause = 200; ; pause = Math.min(pause * 2, 5000)) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`timeout while waiting for ${what}`);
    await sleep(pause, undefined, { signal });
  }
}

/** What is looked up, or nothing where AWS answers that there is no such thing. */
export async function unlessMissing<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    if (/NotFound$|NotFoundException$|InvalidTarget$/.test(codeOf(error))) return undefined;
    throw error;
  }
}

/** Deletes a resource, waiting until nothing uses it any more. */
export const deleteUnused = (what: string, remove: () => Promise<unknown>, context: Context) =>
  until(
    `${what} to be out of use`,
    async () => {
      try {
        await unlessMissing(remove());
        return true;
      } catch (error) {
        if (/^(DependencyViolation|ResourceInUse)/.test(codeOf(error))) return false;
        throw error;
      }
    },
    context,
  );

/** The part of a live value that has the same shape as the inputs; the order of a list of texts means nothing to AWS. */
function pruned(live: Value, like: Value): Value {
  if (Array.isArray(live) && Array.isArray(like)) {
    if (JSON.stringify([...live].sort()) === JSON.stringify([...like].sort())) return like;
    return live.map((value, i) => pruned(value, like[i] ?? null));
  }
  if (!isObject(live) || !isObject(like)) return live;
  return Object.fromEntries(
    Object.entries(live)
      .filter(([key]) => key in like)
      .map(([key, value]) => [key, pruned(value, like[key]!)]),
  );
}

/** The tags of a resource with these inputs, the default ones included. */
const allTags = ({ tags }: Properties): Value =>
  hasUnknown(tags) ? unknown : { ...account().defaultTags, ...(tags as Tags | undefined) };

/** Inputs as they would have to be for the resource to be as it is. */
function inputsOf(found: Properties, inputs: Properties): Properties {
  const own = ownTags((found.tagsAll ?? {}) as Tags, inputs.tags);
  const tags = Object.keys(own).length > 0 || inputs.tags !== undefined ? { tags: own } : {};
  const { tags: _, ...given } = inputs;
  return {
    ...Object.fromEntries(
      Object.entries(given).map(([key, value]) => [
        key,
        found[key] === undefined ? value : pruned(found[key], value),
      ]),
    ),
    ...("tagsAll" in found && tags),
  };
}

/** A kind of resources, made of what is particular to it. */
export function kind(sort: Sort): Resource {
  const { label, fixed, unique, tagging } = sort;

  const doing = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Error && !(error instanceof Unfinished))
        error.message = `${what}: ${error.message}`;
      throw error;
    }
  };
  const find = (id: string, properties: Properties) =>
    doing(`reading ${label} (${id})`, () => sort.find(id, properties));
  const present = (id: string, properties: Properties, context: Context) =>
    until(`${label} (${id}) to be found`, () => find(id, properties), { ...context, timeout: 60 });
  const tagged = (inputs: Properties): Properties => (tagging ? { tagsAll: allTags(inputs) } : {});

  async function setTags(id: string, state: State, inputs: Properties): Promise<void> {
    const [old, now] = [state.properties.tagsAll ?? {}, allTags(inputs)] as [Tags, Tags];
    const gone = Object.keys(old).filter((key) => !(key in now));
    const differing = Object.entries(now).filter(([key, value]) => old[key] !== value);
    if (gone.length > 0) await tagging?.remove(id, gone);
    if (differing.length > 0) await tagging?.set(id, Object.fromEntries(differing));
  }

  return {
    inputs: { ...sort.inputs, ...(tagging && { tags: mapOf(text) }) },
    ...(sort.refuse && { refuse: sort.refuse }),
    replaces: (path, state, inputs) =>
      !["tags", "tagsAll"].includes(property(path)) &&
      (fixed === undefined ||
        below(path, fixed) ||
        (sort.replaces?.(path, state, inputs) ?? false)),
    deleteBeforeReplace: (state, inputs) =>
      unique !== undefined && state.inputs[unique] === inputs[unique],
    drift: (state, inputs) =>
      new Map([
        ...changes({ tagsAll: state.properties.tagsAll ?? null }, tagged(inputs)),
        ...(sort.strayed?.(state) ?? []).map((path) => [path, "update"] as const),
      ]),
    plan: (inputs, state) => ({
      ...Object.fromEntries(
        sort.outputs.map((name) => [name, state?.properties[name] ?? unknown] as const),
      ),
      ...tagged(inputs),
    }),
    create: async (inputs, context) => {
      const tags = (tagging ? allTags(inputs) : {}) as Tags;
      const id = await doing(`creating ${label}`, () => sort.create(inputs, tags, context));
      let made: Made = { id, outputs: {} };
      try {
        made = { id, outputs: await present(id, inputs, context) };
        await doing(`creating ${label} (${id})`, async () =>
          sort.complete?.(id, inputs, tags, context),
        );
        return sort.complete ? { id, outputs: await present(id, inputs, context) } : made;
      } catch (error) {
        throw new Unfinished(error instanceof Error ? error.message : String(error), made);
      }
    },
    read: async ({ id, properties, inputs }) => {
      const outputs = await find(id, properties);
      return outputs && { inputs: inputsOf(outputs, inputs), outputs };
    },
    update: async (state, inputs, context) => {
      const { id } = state;
      const changed = new Set([
        ...[...changes(state.inputs, inputs).keys()].map(property),
        ...(sort.strayed?.(state) ?? []),
      ]);
      const has = (...names: string[]) => names.some((name) => changed.has(name));
      await doing(`updating ${label} (${id})`, async () => {
        await sort.update?.({ id, inputs, state, has }, context);
        await setTags(id, state, inputs);
      });
      const outputs = await find(id, inputs);
      if (outputs === undefined) throw new Error(`updating ${label} (${id}): it is gone`);
      return outputs;
    },
    delete: (state, context) =>
      doing(`deleting ${label} (${state.id})`, () => sort.delete(state, context)),
  };
}
