/** The plugin kubernetes without a cluster: each object becomes at once what it was asked to be. */
import type { Plugin, Resource } from "../protocol/provider.ts";
import { isObject, type Properties } from "../protocol/values.ts";
import { provider as real } from "./index.ts";

/** An object as a server would have made it, with an identity. */
const made = (inputs: Properties, urn: string): Properties => ({
  ...inputs,
  metadata: { ...(isObject(inputs.metadata) && inputs.metadata), uid: `uid of ${urn}` },
});

const simulated = ({ read: _, ...resource }: Resource): Resource => ({
  ...resource,
  plan: (inputs) => inputs,
  create: async (inputs, { urn, name }) => ({ id: name, outputs: made(inputs, urn) }),
  update: async (_, inputs, { urn }) => made(inputs, urn),
  delete: async () => {},
});

/** The plugin kubernetes 4.34.2 without a cluster. */
export const provider: Plugin = {
  ...real,
  resources: Object.fromEntries(
    Object.entries(real.resources).map(([type, resource]) => [type, simulated(resource)]),
  ),
};
