import type { Resource } from "../protocol/provider.ts";
import { object, oneOf, required, text } from "../protocol/shape.ts";
import { isObject, type Properties, unknown } from "../protocol/values.ts";
import { isMissing, unlessMissing, virsh } from "./virsh.ts";
import { element, textElement, transformed } from "./xml.ts";
import { xml, xsltOf } from "./xslt.ts";

const pathOf = ({ target }: Properties): string | undefined =>
  isObject(target) ? (target.path as string | undefined) : undefined;

async function room(id: string): Promise<Properties> {
  const { Capacity, Allocation, Available } = await virsh().table("pool-info", "--bytes", id);
  const [capacity, allocation, available] = [Capacity, Allocation, Available].map(Number);
  return { capacity: capacity ?? 0, allocation: allocation ?? 0, available: available ?? 0 };
}

/** A folder that holds volumes. */
export const pool: Resource = {
  inputs: {
    name: required(text),
    type: required(oneOf(["dir"])),
    target: required(object({ path: required(text) })),
    xml,
  },
  replaces: (path) => /^(name|type|target)\b/.test(path),
  deleteBeforeReplace: (state, inputs) => state.properties.name === inputs.name,
  plan: (_inputs, state) =>
    state === undefined
      ? { capacity: unknown, allocation: unknown, available: unknown }
      : state.properties,
  create: async (inputs) => {
    const name = String(inputs.name);
    if ((await unlessMissing(virsh().call("pool-uuid", name))) !== undefined)
      throw new Error(`storage pool '${name}' already exists`);
    const description = element(
      "pool",
      { type: "dir" },
      textElement("name", name),
      element("target", {}, textElement("path", pathOf(inputs))),
    );
    await virsh().describe(["pool-define"], await transformed(description, xsltOf(inputs)));
    for (const step of ["pool-build", "pool-start", "pool-autostart", "pool-refresh"])
      await virsh().call(step, name);
    const id = await virsh().call("pool-uuid", name);
    return { id, outputs: await room(id) };
  },
  read: async ({ id, inputs }) => {
    const outputs = await unlessMissing(room(id));
    return outputs && { inputs, outputs };
  },
  update: async ({ id }) => room(id),
  // A file in the folder that is no volume of ours fails this, as it does with the real plugin.
  delete: async ({ id }) => {
    try {
      const { State } = await virsh().table("pool-info", id);
      if (State === "running") await virsh().call("pool-destroy", id);
      await virsh().call("pool-delete", id);
      await virsh().call("pool-undefine", id);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
};
