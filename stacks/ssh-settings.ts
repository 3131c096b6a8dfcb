import { z } from "zod";
import { mistake } from "../settings/mistake.ts";
import { flag, group, hiding, host, port, saying, text } from "../settings/values.ts";

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

/** A text that is a secret, in one line. */
export function secret(what: string) {
  const error = hiding(
    `not ${what}`,
    "write it in one line, encrypted by pulumi config set --secret",
  );
  return z.string({ error }).regex(/^.+$/, { error });
}

/** The passphrase of a private key. */
const privateKeyPassphrase = secret("the passphrase of a key").optional();

/** How the operator proves to be the operator: by the file of a private key, or by the keys of an agent. */
export const login = {
  privateKeyFile: privateKeyFile.default("~/.ssh/id_ed25519"),
  privateKeyPassphrase,
  useAgent: flag.default(false),
};

/** The public key of a host, in one line. */
export const hostKey = text(
  (text) =>
    /^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{40,}=*( .*)?$/.test(text),
  "not a host's public key",
  "write it in one line, as /etc/ssh/ssh_host_ed25519_key.pub has it on the host",
).refine((text) => !text.startsWith("ssh-rsa "), {
  error: saying(
    "an RSA key, which Pulumi's plugin command verifies by SHA-1 alone, as sshd has refused since OpenSSH 8.8",
    "write the host's ed25519 or ecdsa key, as ssh-keyscan -t ed25519,ecdsa shows it",
  ),
});

/** Pulumi's plugin goes through one host. A port of this computer may lead to the last one of several. */
const sayingOne: typeof saying = (wrong, todo) => (issue) =>
  Array.isArray(issue.input)
    ? mistake(
        "a list, where Pulumi's plugin command goes through one host",
        issue.input,
        "let ssh -N -L 2222:LAST:22 FIRST lead to the last one, and write its group with host 127.0.0.1 and port 2222",
      )
    : saying(wrong, todo)(issue);

/** The host through which all others are reached. */
export const jumpBox = group(
  {
    host: host("192.0.2.1 or bastion.example.com"),
    user: user.optional(),
    port: port.default(22),
    privateKeyFile: privateKeyFile.optional(),
    privateKeyPassphrase,
    hostKey: hostKey.optional(),
  },
  sayingOne,
);

/** The host and port at which the operator reaches the API. */
export const operatorEndpoint = group({
  host: host("192.0.2.10 or api.example.com"),
  port: port.default(6_443),
});
