import { spawnSync } from "node:child_process";
import { askingOurs } from "../node/askpass.ts";

/** Whether a passphrase opens the private key in a file, as ssh-keygen finds. */
export function opensKey(file: string, passphrase: string): boolean {
  const { status } = spawnSync("ssh-keygen", ["-y", "-f", file], {
    // ssh-keygen asks without the path of the key.
    env: { ...process.env, ...askingOurs(`:\n${passphrase}`) },
    stdio: "ignore",
  });
  return status === 0;
}

/** How many keys the SSH agent of the environment has; undefined where none answers. */
export function keysOfAgent(): number | undefined {
  const { status, stdout } = spawnSync("ssh-add", ["-l"], { encoding: "utf8" });
  // https://man.openbsd.org/ssh-add.1: status 1 where the agent has no keys, 2 where none answers.
  if (status === 1) return 0;
  return status === 0 ? stdout.trim().split("\n").length : undefined;
}
