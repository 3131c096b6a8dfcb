/**
 * Cuts `make up` off in ten ways, at ten moments of a first update or of a rolling one, and prints how each end was reported, and whether the
 * last update ends: `interrupts.ts first|rolling`.
 */
import { argv } from "node:process";
import { readyNodes } from "./support/cluster.ts";
import { LiveStack } from "./support/live-stack.ts";
import { eventually, output, run, sleep, step, succeeded } from "./support/run.ts";

/** How many resources an update gets done before it is cut off. */
const portions = { first: 16, rolling: 4 } as const;

const phase = argv[2] === "rolling" ? "rolling" : "first";
const stack = await LiveStack.create();
const { machines } = stack;

const signal = (group: number, name: NodeJS.Signals) => process.kill(-group, name);
const killCli = (group: number) => run("pkill", ["-KILL", "--pgroup", `${group}`, "-x", "pulumi"]);
const kill = async (name: string) => {
  if ((await machines.names()).includes(name)) await machines.kill(name).catch(() => {});
};
/** What is left of a stack after its computer has lost power: files. */
const losePower = async () => {
  for (const name of await machines.names()) await kill(name);
  const own = `environ=$(tr '\\0' '\\n' <"/proc/$pid/environ") && [[ $environ == *KTHW_STACK=${stack.name}$'\\n'* ]]`;
  await output("bash", [
    "-c",
    `for pid in $(pgrep -f systemd-socket); do if { ${own}; } 2>/dev/null; then kill -KILL $pid; fi; done
     ip netns list | cut -d' ' -f1 | grep -E '^${stack.namespace}(:|$)' | xargs -r -n1 ip netns delete`,
  ]);
};

const ends: Readonly<Record<string, (group: number) => Promise<unknown>>> = {
  "the CLI gets SIGKILL": killCli,
  "Ctrl-C": async (group) => signal(group, "SIGINT"),
  "Ctrl-C twice": async (group) => {
    signal(group, "SIGINT");
    await sleep(0.5);
    signal(group, "SIGINT");
  },
  "the connections to cp1 are cut": () =>
    machines.inside("cp1", "pkill -KILL -f '^sshd.*: root'").catch(() => {}),
  "the CLI gets SIGKILL, and cp2 is killed": async (group) => {
    await killCli(group);
    await kill("cp2");
  },
  "the computer loses power": async (group) => {
    signal(group, "SIGKILL");
    await losePower();
  },
  "cp3 is killed": () => kill("cp3"),
  "worker1 is killed, then Ctrl-C": async (group) => {
    await kill("worker1");
    signal(group, "SIGINT");
  },
  "the terminal is closed": async (group) => signal(group, "SIGHUP"),
  "the load balancer is killed": () => kill("lb"),
};

let turns = 0;
/** Leaves an update to be made once one has ended: all of it, or new files for every service. */
async function beginAnew(): Promise<void> {
  if (phase === "first") {
    await step("make down", () => stack.make("down").then(succeeded));
    return;
  }
  turns++;
  await stack.configure((settings) => {
    settings.apiServer = { extraFlags: { "event-ttl": `${turns + 1}h` } };
    settings.reassert = turns;
  });
}

/** What `make up` said of the update before, and of its own end. */
const told = (text: string) =>
  text.split("\n").filter((line) => /^stack |^error:|\berror: |^make: /.test(line));

try {
  await stack.configure(({ workerPools }) => {
    workerPools![0]!.machines!.splice(1);
  });
  await stack.leaveOutPreviews();
  if (phase === "rolling") {
    await step("make up", () => stack.make("up").then(succeeded));
    await beginAnew();
  }
  const word = phase === "first" ? "created" : "updated";
  const portion = portions[phase];
  const enough = new RegExp(`(?: ${word} \\([^]*?){${portion}}`);
  for (const [name, how] of Object.entries(ends)) {
    const cutOff = () =>
      step(`${name}, after ${portion} resources`, () => stack.cutOffMakeUp(enough, how));
    let end = await cutOff();
    if (!end.isCut) {
      succeeded(end);
      await beginAnew();
      end = await cutOff();
    }
    const { isCut, group, code, stdout, stderr, seconds } = end;
    if (!isCut) throw new Error(`an update of fewer than ${portion} resources`);
    console.log(`      cut off: status ${code} after ${seconds.toFixed(0)} s`);
    const start = performance.now();
    await eventually(async () => {
      const rest = await run("pgrep", ["--pgroup", `${group}`, "--runstates", "D,R,S,T", "-l"]);
      if (rest.code === 0) throw new Error(`these run on: ${rest.stdout}`);
    }, 120);
    const outlived = (performance.now() - start) / 1000;
    if (outlived > 1) console.log(`      the CLI ran on for ${outlived.toFixed(0)} s`);
    for (const line of told(stdout + stderr)) console.log(`      ${line.slice(0, 300)}`);
  }
  const last = await step("the last make up", () => stack.make("up").then(succeeded));
  for (const line of told(last.stderr)) console.log(`      ${line}`);
  await stack.takeKubeconfig();
  console.log(`      Ready: ${await readyNodes(stack)}`);
  await step("nothing is left to do", () => stack.succeeding("preview", "--expect-no-changes"));
  const check = await step("make check", () => stack.make("check"));
  console.log(check.stdout.replaceAll(/^/gm, "      "));
  const smoke = await step("make smoke", () => stack.make("smoke"));
  console.log(smoke.stdout.replaceAll(/^/gm, "      "));
} finally {
  await stack.remove();
}
