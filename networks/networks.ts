import { bridge } from "./bridge/network.ts";
import { weave } from "./weave/network.ts";

/** Every pod network, by its name in the settings; the first is the default. */
export const networks = {
  bridge,
  weave,
};

/** The network of clusters that were made before there was a choice. */
export const formerNetwork: keyof typeof networks = "bridge";
