import { type Build, LiveStack } from "./live-stack.ts";
import { type ProgramUse, whileWatched } from "./program-use.ts";
import { step } from "./run.ts";
import { Simulation } from "./simulation.ts";

/** What a command of the Pulumi CLI took. */
export interface Taken {
  readonly seconds: number;
  readonly program: ProgramUse;
}

/** What an update of simulated machines took. */
export interface Simulated extends Taken {
  /** The numbers of commands by the names of machines. */
  readonly contacted: Readonly<Record<string, number>>;
}

/** What three controllers and many workers take. */
export interface Scale {
  /** The preview of the first update. */
  readonly preview: Taken;
  /** The first update, which writes the state once, at its end. */
  readonly first: Simulated;
  /** Another kubelet setting of the last worker. */
  readonly change: Simulated;
}

/** Measures a build with three controllers and up to a hundred workers, worker1 and so on. */
export async function measureScale(workers: number, build?: Build): Promise<Scale> {
  const stack = await LiveStack.create(build);
  const taken = async (title: string, command: string, ...options: string[]) => {
    const work = () => stack.succeeding(command, ...options);
    const { seconds, program } = await step(title, () => whileWatched(stack.environment, work));
    return { seconds, program };
  };
  const up = (title: string) => taken(title, "up", "--yes", "--skip-preview");
  try {
    await stack.configure(({ workerPools }) => {
      workerPools![0]!.machines = Array.from({ length: workers }, (_, index) => ({
        name: `worker${index + 1}`,
        address: `10.240.0.${index + 21}`,
        podCidr: `10.200.${index + 21}.0/24`,
      }));
    });
    const preview = await taken(`preview of 3 controllers and ${workers} workers`, "preview");
    const simulation = await Simulation.of(stack);
    // Otherwise the CLI writes the whole state twice for each of two thousand resources, which takes more than ten minutes.
    stack.environment.PULUMI_SKIP_CHECKPOINTS = "true";
    const first = await simulation.contacted(() => up("their first update, simulated"));
    delete stack.environment.PULUMI_SKIP_CHECKPOINTS;
    await stack.configure(({ workerPools }) => {
      workerPools![0]!.machines!.at(-1)!.kubelet = { maxPods: 64 };
    });
    const change = await simulation.contacted(() => up("a kubelet setting of the last worker"));
    return { preview, first, change };
  } finally {
    await stack.remove();
  }
}
