import type { Subject } from "../settings/checks/subject.ts";
import { formatAddress, formatCidr, parseAddress } from "../settings/ipv4.ts";
import { isServer } from "../settings/mirror.ts";
import { mistakeAt } from "../settings/mistake.ts";

/** Neither a machine nor the endpoint has the first address of the machines' network, which is the gateway's. */
export function gateway({ draft, machineCidr, addresses }: Subject): string[] {
  if (!machineCidr) return [];
  const todo = `choose a free one in machineCidr ${formatCidr(machineCidr)}`;
  const shared = parseAddress(draft.endpoint?.address ?? "");
  return [
    ...addresses,
    ...(shared === undefined ? [] : [{ where: "endpoint.address", value: shared }]),
  ]
    .filter(({ value }) => value === machineCidr.first + 1)
    .map(({ where, value }) =>
      mistakeAt(where, "the address of the machines' gateway", formatAddress(value), todo),
    );
}

/** The mirror is a server, if there is one: these machines see no folder of another computer. */
export function servedMirror({ draft }: Subject, machines: string): string[] {
  const mirror = draft.artifacts?.mirror;
  if (mirror === undefined || isServer(mirror)) return [];
  const todo = "serve the folder over http, and write that address";
  return [mistakeAt("artifacts.mirror", `out of reach for ${machines}`, mirror, todo)];
}
