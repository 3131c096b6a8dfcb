import { parseAddress } from "../../settings/ipv4.ts";
import { isDnsName } from "../../settings/label.ts";
import { count, flag, group, list, name, port, text, whole } from "../../settings/values.ts";

/** A user name that useradd accepts: https://github.com/shadow-maint/shadow/blob/master/lib/chkname.c */
const user = text(
  (text) => /^(?!\.{1,2}$|\d+$)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}$/.test(text),
  "not the name of a user",
  "use up to 32 letters, digits, dots, dashes and underscores, no dash first, like jane.doe",
);
const host = (example: string) =>
  text(
    (text) => (/^[\d.]+$/.test(text) ? parseAddress(text) !== undefined : isDnsName(text)),
    "neither an IPv4 address nor a DNS name",
    `write it like ${example}`,
  );
const privateKeyFile = text(
  (text) => /^(\/|~\/)./.test(text),
  "not the path of a file",
  "start it with / or ~/, like ~/.ssh/id_ed25519",
);
const hostKey = text(
  (text) => /^(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}=*( .*)?$/.test(text),
  "not a host's public key",
  "write it in one line, as /etc/ssh/ssh_host_ed25519_key.pub has it on the host",
);

/** How existing hosts are reached, and their traits. */
export const hostsGroup = group({
  user: user.default("root"),
  port: port.default(22),
  privateKeyFile: privateKeyFile.default("~/.ssh/id_ed25519"),
  jumpBox: group({
    host: host("192.0.2.1 or bastion.example.com"),
    user: user.optional(),
    port: port.default(22),
    privateKeyFile: privateKeyFile.optional(),
    hostKey: hostKey.optional(),
  }).optional(),
  endpoint: group({
    host: host("192.0.2.10 or api.example.com"),
    port: port.default(6_443),
  }).optional(),
  machines: list(
    group({
      name: name("worker1"),
      host: host("192.0.2.21 or worker1.example.com").optional(),
      port: port.optional(),
      user: user.optional(),
      hostKey: hostKey.optional(),
      /** Raised after the host was reinstalled. */
      generation: count.default(1),
    }),
  ).default([]),
  traits: group({
    cgroupVersion: whole(1, 2, "not a version of cgroups", "use 1 or 2")
      .transform((version) => (version === 1 ? 1 : 2))
      .default(2),
    container: flag.default(false),
    restrictOomScoreAdj: flag.default(false),
  }).prefault({}),
}).prefault({});
