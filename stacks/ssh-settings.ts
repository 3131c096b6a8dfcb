import { group, host, port, text } from "../settings/values.ts";

/** A user name that useradd accepts: https://github.com/shadow-maint/shadow/blob/master/lib/chkname.c */
export const user = text(
  (text) => /^(?!\.{1,2}$|\d+$)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}$/.test(text),
  "not the name of a user",
  "use up to 32 letters, digits, dots, dashes and underscores, no dash first, like jane.doe",
);

/** The path of a private key on this computer. */
export const privateKeyFile = text(
  (text) => /^(\/|~\/)./.test(text),
  "not the path of a file",
  "start it with / or ~/, like ~/.ssh/id_ed25519",
);

/** The public key of a host, in one line. */
export const hostKey = text(
  (text) => /^(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}=*( .*)?$/.test(text),
  "not a host's public key",
  "write it in one line, as /etc/ssh/ssh_host_ed25519_key.pub has it on the host",
);

/** The host through which all others are reached. */
export const jumpBox = group({
  host: host("192.0.2.1 or bastion.example.com"),
  user: user.optional(),
  port: port.default(22),
  privateKeyFile: privateKeyFile.optional(),
  hostKey: hostKey.optional(),
});

/** The host and port at which the operator reaches the API. */
export const operatorEndpoint = group({
  host: host("192.0.2.10 or api.example.com"),
  port: port.default(6_443),
});
