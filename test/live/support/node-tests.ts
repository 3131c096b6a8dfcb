import assert from "node:assert/strict";
import {
  type Bundle,
  describeBundle,
  describeService,
  type File,
  type Service,
} from "../../../node/description.ts";
import { type Unit, unit } from "../../../services/systemd.ts";
import { NodeMachine } from "./node-machine.ts";
import type { Result } from "./run.ts";

/** The machine of the tests that run. */
export let machine: NodeMachine;

/** Tests of kthw-node on a machine of their own, which is made before them and removed after them. */
export function describeOnMachine(title: string, define: () => void): void {
  describe(title, function () {
    this.timeout(60_000);

    before("a machine boots", async function () {
      this.timeout(400_000);
      machine = await NodeMachine.create();
    });

    afterEach(async function () {
      if (this.currentTest?.isFailed())
        console.log((await machine.run("journalctl --no-pager --lines=40")).stdout);
    });

    after("it is removed", () => NodeMachine.remove());

    define();
  });
}

/** A service that runs `sleep`, or what its unit is told to, with files of its own beside its unit. It is healthy once it runs. */
export function service(
  name: string,
  files: readonly File[] = [],
  more: Partial<Service> & { readonly Service?: Unit["Service"] } = {},
): Service {
  const { Service: settings, ...rest } = more;
  const text = unit({
    Unit: { Description: name },
    Service: {
      ExecStart: "/bin/sleep infinity",
      Restart: "always",
      RestartSec: "100ms",
      ...settings,
    },
    Install: { WantedBy: "multi-user.target" },
  });
  return {
    name,
    unit: `${name}.service`,
    health: "true",
    files: [{ path: unitPath(name), text }, ...files],
    ...rest,
  };
}

/** A file whose content does not matter. */
export const file = (path: string, more: Partial<File> = {}): File => ({
  path,
  text: "x\n",
  ...more,
});

export const unitPath = (name: string) => `/etc/systemd/system/${name}.service`;

export const describeAny = (one: Service | Bundle) =>
  "unit" in one ? describeService(one) : describeBundle(one);

/** Runs kthw-node with a service or bundle. */
export const node = (words: string, one: Service | Bundle): Promise<Result> =>
  machine.run(`kthw-node ${words}`, describeAny(one));

/** It must succeed, and say nothing. */
export async function done(result: Promise<Result>): Promise<void> {
  const { code, stdout, stderr } = await result;
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
}

/** It must fail, not as late as anything hangs or waits here, with a text on standard error in which all of these are found. */
export async function fails(running: Promise<Result>, ...said: readonly RegExp[]): Promise<Result> {
  const result = await running;
  assert.notEqual(result.code, 0, "it should have failed");
  for (const one of said) assert.match(result.stderr, one);
  assert.ok(result.seconds < 25, `${result.seconds} s`);
  return result;
}

export const apply = (one: Service | Bundle) => done(node("apply", one));
export const applyAndWait = (one: Service | Bundle) => done(node("apply --wait", one));

export const text = async (path: string) =>
  Buffer.from(await machine.output(`base64 ${path}`), "base64").toString();
export const exists = async (path: string) =>
  (await machine.run(`[ -e ${path} ] || [ -L ${path} ]`)).code === 0;
export const show = (property: string, name: string) =>
  machine.output(`systemctl show --property=${property} --value ${name}.service`);
/** Another one after each start. */
export const invocation = (name: string) => show("InvocationID", name);
export const active = async (name: string) => (await show("ActiveState", name)) === "active";

/** Applies one after another until a shell script on the machine has ended, which must say nothing. */
export async function applyWhile(script: string, turn: (count: number) => Service | Bundle) {
  let ended = false;
  const watching = machine.run(script).finally(() => {
    ended = true;
  });
  for (let count = 0; !ended; count++) await apply(turn(count));
  await done(watching);
}

/** Lets a shell script take the place of a program on the machine, which it can go on to as `$program`. */
export async function instead<T>(
  program: string,
  script: string,
  work: () => Promise<T>,
): Promise<T> {
  const path = `/usr/local/sbin/${program}`;
  await machine.output(
    `cat >${path} && chmod +x ${path}`,
    `#!/bin/bash\nprogram=/usr/bin/${program}\n${script}\n`,
  );
  try {
    return await work();
  } finally {
    await machine.output(`rm ${path}`);
  }
}

/** Kills an apply, and all that it has started, at the moment when it runs a program with arguments that match a pattern. */
export async function killedAt(
  program: string,
  pattern: string,
  one: Service | Bundle,
): Promise<void> {
  const script = `[[ "$*" != ${pattern} ]] || pkill -KILL --session 0\nexec $program "$@"`;
  const { code } = await instead(program, script, () =>
    machine.run("setsid --wait kthw-node apply", describeAny(one)),
  );
  assert.equal(code, 128 + 9, "it should have been killed");
}
