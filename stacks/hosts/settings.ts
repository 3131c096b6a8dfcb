import { count, flag, group, host, list, name, port, whole } from "../../settings/values.ts";
import { hostKey, jumpBox, login, operatorEndpoint, secret, user } from "../ssh-settings.ts";

const sudoPassword = secret("a password").optional();

/** How existing hosts are reached, and their traits. */
export const hostsGroup = group({
  user: user.default("root"),
  port: port.default(22),
  ...login,
  sudoPassword,
  jumpBox: jumpBox.optional(),
  endpoint: operatorEndpoint.optional(),
  machines: list(
    group({
      name: name("worker1"),
      host: host("192.0.2.21 or worker1.example.com").optional(),
      port: port.optional(),
      user: user.optional(),
      sudoPassword,
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
