/** What running a command takes and yields, wherever it runs. */

/** A command to run. */
export interface Call {
  readonly command: string;
  readonly stdin: string | undefined;
  readonly environment: Record<string, string>;
  /** The variables among those without which the command is not run. */
  readonly demanded: readonly string[];
  /** Which of its streams are shown while it runs. */
  readonly shown: readonly Stream[];
  log(line: string): void;
  readonly signal: AbortSignal;
}

/** What a command said, without the last line's end. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
}

export type Stream = "stdout" | "stderr";

/** A command line as it stands in an error. */
export const quote = (command: string): string => JSON.stringify(command);

/** Collects what a command says, and shows it line by line. */
export class Output {
  readonly #call: Call;
  readonly #said = { stdout: "", stderr: "" };
  #both = "";

  constructor(call: Call) {
    this.#call = call;
  }

  collect(stream: Stream, source: NodeJS.ReadableStream): void {
    const show = (line: string) => {
      if (this.#call.shown.includes(stream)) this.#call.log(line.replace(/\r$/, ""));
    };
    let rest = "";
    source.setEncoding("utf8");
    source.on("data", (chunk: string) => {
      this.#said[stream] += chunk;
      this.#both += chunk;
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(show);
    });
    source.on("end", () => rest !== "" && show(rest));
  }

  outcome(): Outcome {
    const { stdout, stderr } = this.#said;
    return { stdout: stdout.replace(/\n$/, ""), stderr: stderr.replace(/\n$/, "") };
  }

  /** The error of a command that failed: the whole command, and all that it said. */
  failure(why: string): Error {
    return new Error(`${why}: running ${quote(this.#call.command)}:\n${this.#both}`);
  }
}
