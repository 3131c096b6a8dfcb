import { formatCidr, holds, lastOf, parseAddress, parseCidr } from "../ipv4.ts";
import { mistakeAt } from "../mistake.ts";
import type { Draft } from "../schema.ts";
import type { Subject } from "./subject.ts";

const none = "leave it out for names of the cluster only";
const outside = `write the address of a DNS server outside the cluster, or ${none}`;

/** https://github.com/coredns/coredns/blob/master/plugin/forward/README.md */
const mostForwarders = 15;

/** Each DNS server for names outside the cluster is listed once, and is outside the cluster. */
export function dnsForwarders({ draft }: Subject): string[] {
  const { dnsForwarders = [] } = draft;
  if (dnsForwarders.length > mostForwarders) {
    const wrong = "more than CoreDNS forwards to";
    const todo = `list at most ${mostForwarders}`;
    return [mistakeAt("dnsForwarders", wrong, dnsForwarders.length, todo)];
  }
  return dnsForwarders.flatMap((text, index) => {
    const where = `dnsForwarders[${index}]`;
    const earlier = dnsForwarders.indexOf(text);
    if (text === undefined) return [];
    if (earlier < index) {
      return [mistakeAt(where, `the same as dnsForwarders[${earlier}]`, text, "list each once")];
    }
    const wrong = faultOf(parseAddress(text)!, draft);
    return wrong ? [mistakeAt(where, wrong.wrong, text, wrong.todo)] : [];
  });
}

function faultOf(address: number, draft: Draft): { wrong: string; todo: string } | undefined {
  const first = Math.floor(address / 2 ** 24);
  if (first === 127) {
    const todo = `write the server that /run/systemd/resolve/resolv.conf or /etc/resolv.conf names on a machine, or ${none}`;
    return { wrong: "the loopback of the DNS server's own pod", todo };
  }
  if (first === 0) return { wrong: "the address of no host", todo: outside };
  if (first >= 240) return { wrong: "a broadcast or reserved address", todo: outside };
  if (first >= 224) return { wrong: "a multicast address", todo: outside };
  const services = parseCidr(draft.serviceCidr ?? "");
  if (services && holds(services, address)) {
    const own = parseAddress(draft.dnsAddress ?? "") ?? services.first + 10;
    return address === own
      ? { wrong: "the cluster's own DNS server, which would ask itself", todo: outside }
      : {
          wrong: `the address of a service, in serviceCidr ${formatCidr(services)}`,
          todo: outside,
        };
  }
  const pods = parseCidr(draft.podCidr ?? "");
  if (pods && holds(pods, address)) {
    const wrong = `the address of a pod, which comes and goes, in podCidr ${formatCidr(pods)}`;
    return { wrong, todo: outside };
  }
  const machines = parseCidr(draft.machineCidr ?? "");
  if (machines && (address === machines.first || address === lastOf(machines))) {
    const wrong = `the first or last address of machineCidr ${formatCidr(machines)}, which no host has`;
    return { wrong, todo: outside };
  }
  return undefined;
}
