/** Cuts a first update and a rolling one off at ten moments each, in ten ways, and prints whether the next update goes on and the last ends. */
import { readyNodes } from "./support/cluster.ts";
import { LiveStack } from "./support/live-stack.ts";
import { step } from "./support/run.ts";

/** How many resources an update gets done before it is cut off. */
const portions = { first: 22, rolling: 4 } as const;

const stack = await LiveStack.create();
const { machines } = stack;
const kill = async (name: string) => {
  if ((await machines.names()).includes(name)) await machines.kill(name).catch(() => {});
};
const cutConnections = async (name: string) => {
  await machines.inside(name, "pkill -KILL -f '^sshd: root'").catch(() => {});
};
const reboot = async () => {
  for (const name of await machines.names()) await kill(name);
};

type End = NodeJS.Signals | (() => Promise<unknown>);
const ends: Readonly<Record<string, readonly End[]>> = {
  "SIGKILL of the CLI": ["SIGKILL"],
  "SIGINT once": ["SIGINT"],
  "SIGINT twice": ["SIGINT", "SIGINT"],
  "the connections to cp1 are cut": [() => cutConnections("cp1")],
  "SIGKILL, and cp2 is killed": ["SIGKILL", () => kill("cp2")],
  "SIGKILL, and all machines with it": ["SIGKILL", reboot],
  "cp3 is killed": [() => kill("cp3")],
  "worker1 is killed, then SIGINT": [() => kill("worker1"), "SIGINT"],
  SIGTERM: ["SIGTERM"],
  "SIGKILL while others wait": ["SIGKILL"],
};

async function cutTenTimes(word: string, portion: number): Promise<void> {
  const enough = new RegExp(`(?: ${word} \\([^]*?){${portion}}`);
  for (const [name, how] of Object.entries(ends)) {
    const cut = await step(`${name}, after ${portion} resources`, () =>
      stack.cutOff(enough, ...how),
    );
    const { code, stderr } = await stack.script("operations/interrupted/clear-interrupted.ts");
    console.log(
      `      ${cut ? "cut off" : "ended before"}; cleared with status ${code}: ${stderr.trim()}`,
    );
  }
  const said = await step("the next update", () => stack.upAgain());
  if (said !== "") console.log(said);
}

try {
  await stack.configure(({ workerPools }) => {
    workerPools![0]!.machines!.splice(1);
  });
  await cutTenTimes("created", portions.first);
  await stack.takeKubeconfig();
  console.log(`      Ready: ${await readyNodes(stack)}`);
  await stack.configure((settings) => {
    settings.apiServer = { extraFlags: { "event-ttl": "2h" } };
    settings.reassert = 1;
  });
  await cutTenTimes("updated", portions.rolling);
  console.log(`      Ready: ${await readyNodes(stack)}`);
  await step("nothing is left to do", () => stack.succeeding("preview", "--expect-no-changes"));
} finally {
  await stack.remove();
}
