import { local, remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { answersOf, type Passphrases } from "../node/askpass.ts";
import type { Machine } from "../node/machine.ts";
import type { MachineFacts } from "../services/cluster-facts.ts";
import { hostsFile } from "./cloud-init.ts";

/** A machine on which cloud-init does the first steps. */
export interface BootedMachine {
  readonly name: string;
  readonly connection: Machine["connection"];
  /** A text that changes when the machine boots with an empty disk, or was seen to boot. */
  readonly boot: pulumi.Input<string>;
  /** The resource that makes the machine. */
  readonly resource: pulumi.Resource;
  /** All machines, whose names and addresses the machine knows. */
  readonly machines: readonly MachineFacts[];
  /** The command line that opens a shell on the machine through a jump box, and the passphrases that it asks for; undefined without a jump box. */
  readonly jump:
    | { readonly ssh: pulumi.Input<string>; readonly passphrases: Passphrases }
    | undefined;
  /** What timeouts are multiplied by. */
  readonly timeoutFactor: number;
}

/** How long the first boot may take from the first connection on. */
const firstBootSeconds = 300;

const waitAndName = (
  seconds: number,
) => `timeout ${seconds} cloud-init status --wait >/dev/null || [ $? = 2 ] || { cloud-init status --long >&2; exit 1; }
cat >/etc/hosts.new && mv /etc/hosts.new /etc/hosts`;

/** Waits until the first boot is done, and keeps the names of all machines in /etc/hosts. */
export function afterFirstBoot(
  { name, connection, boot, resource, machines, jump, timeoutFactor }: BootedMachine,
  opts: { readonly parent: pulumi.Resource; readonly dependsOn?: readonly pulumi.Resource[] },
): pulumi.Resource {
  const command = waitAndName(firstBootSeconds * timeoutFactor);
  const before = [resource, ...(opts.dependsOn ?? [])];
  // Through a jump box, the retries of a connection that has failed fail for good. So each boot is waited for.
  const answers =
    jump === undefined
      ? []
      : [
          new local.Command(
            `${name}:answers`,
            {
              create: `stacks/answers.sh ${name} ${2 * firstBootSeconds * timeoutFactor}`,
              environment: {
                KTHW_SSH: jump.ssh,
                KTHW_BOOT: boot,
                ...(Object.keys(jump.passphrases).length > 0 && {
                  KTHW_PASSPHRASES: pulumi.secret(answersOf(jump.passphrases)),
                }),
              },
              addPreviousOutputInEnv: false,
              logging: "none",
            },
            { parent: opts.parent, dependsOn: before, deletedWith: resource },
          ),
        ];
  return new remote.Command(
    `${name}:names`,
    {
      connection,
      create: command,
      update: pulumi.interpolate`${command} # ${boot}`,
      stdin: hostsFile(machines),
      addPreviousOutputInEnv: false,
      logging: "none",
    },
    {
      parent: opts.parent,
      dependsOn: [...before, ...answers],
      deletedWith: resource,
    },
  );
}
