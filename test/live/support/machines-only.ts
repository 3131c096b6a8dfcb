/** A Pulumi program that makes a stack's machines and leaves them empty. */
import { networks } from "../../../networks/networks.ts";
import { servicesByMachine } from "../../../services/roles.ts";
import { clusterFacts, nodeGroups } from "../../../settings/facts.ts";
import { loadSettings } from "../../../settings/load.ts";
import { refuseChanges } from "../../../settings/unchanged.ts";
import { platforms } from "../../../stacks/platforms.ts";

const settings = await loadSettings();
const platform = platforms[settings.platform];
const facts = clusterFacts(settings, platform.endpoint(settings));
const nodes = nodeGroups(settings, platform.traits(settings)).flatMap((group) => group.nodes);
const services = servicesByMachine(facts, [...facts.loadBalancers, ...nodes], (node) => [
  networks[settings.network].service(facts, node, settings),
]);
const records = await refuseChanges(
  settings,
  platform.claims(settings),
  platform.unchanging(settings),
  [],
);
await platform.machines(settings, records, services);
