import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** Debian's Chromium without a window. */
export const chromium = "/usr/bin/chromium-headless-shell";

/** How a page is looked at. */
export interface View {
  readonly width: number;
  readonly dark: boolean;
  /** `print`: as on paper. @default screen */
  readonly media?: "print";
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Chromium with one page, driven by the DevTools protocol over a pipe. */
export class Browser {
  /** What the page has complained of, and the addresses that it asked for. */
  readonly complaints: string[] = [];
  readonly requests: string[] = [];
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #ended: Promise<void>;
  #loaded = () => {};
  #session = "";
  #count = 0;

  private constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), "kthw-browser-"));
    const args = ["--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"];
    this.#process = spawn(chromium, [...args, `--user-data-dir=${this.#folder}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    this.#ended = new Promise((resolve) => this.#process.once("exit", () => resolve()));
    let rest = "";
    (this.#process.stdio[4] as Readable).setEncoding("utf8").on("data", (chunk: string) => {
      const texts = (rest + chunk).split("\0");
      rest = texts.pop()!;
      for (const text of texts) this.#hear(JSON.parse(text));
    });
  }

  /** Starts Chromium. */
  static async start(): Promise<Browser> {
    const browser = new Browser();
    const { targetId } = await browser.ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.ask("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = String(sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"])
      await browser.ask(`${domain}.enable`);
    return browser;
  }

  /** Opens an address, and waits until the page is loaded. */
  async open(url: string): Promise<void> {
    // An address that differs after the # alone would load nothing.
    for (const address of ["about:blank", url]) {
      const loaded = new Promise<void>((resolve) => {
        this.#loaded = resolve;
      });
      await this.ask("Page.navigate", { url: address });
      await loaded;
    }
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.ask("Runtime.evaluate", options);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { readonly value: T }).value;
  }

  /** Presses keys, one after another, and waits until the page has heard of them. */
  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const text = key === "Enter" ? "\r" : key.length === 1 ? key : "";
      const code = key === "Enter" ? { windowsVirtualKeyCode: 13 } : {};
      await this.ask("Input.dispatchKeyEvent", { type: "keyDown", key, text, ...code });
      await this.ask("Input.dispatchKeyEvent", { type: "keyUp", key, ...code });
      await this.settle();
    }
  }

  /** Waits until the page has drawn what it has heard of. */
  async settle(): Promise<void> {
    await this.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))");
  }

  /** Looks at the page in another way. */
  async look({ width, dark, media = undefined }: View): Promise<void> {
    const size = { width, height: 900, deviceScaleFactor: 1, mobile: false };
    await this.ask("Emulation.setDeviceMetricsOverride", size);
    const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }];
    await this.ask("Emulation.setEmulatedMedia", { media: media ?? "screen", features });
  }

  /** Asks by a method of the protocol. */
  async ask(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.#count;
    const answered = new Promise<Message>((resolve) => {
      this.#waiting.set(id, resolve);
    });
    const ended = this.#ended.then(() => ({ error: { message: "Chromium has ended" } }));
    const sessionId = this.#session === "" ? {} : { sessionId: this.#session };
    const pipe = this.#process.stdio[3] as Writable;
    pipe.write(`${JSON.stringify({ id, method, params, ...sessionId })}\0`);
    const { result, error } = await Promise.race<Message>([answered, ended]);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result!;
  }

  /** Ends Chromium. */
  async stop(): Promise<void> {
    this.#session = "";
    await this.ask("Browser.close");
    await this.#ended;
    // What Chromium has started holds the pipes a little longer.
    for (const pipe of this.#process.stdio) pipe?.destroy();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #hear({ id, method, params, result, error }: Message): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.({ ...(result && { result }), ...(error && { error }) });
      this.#waiting.delete(id);
    } else if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
      this.complaints.push(JSON.stringify(params));
    } else if (method === "Network.requestWillBeSent") {
      this.requests.push((params as { request: { url: string } }).request.url);
    } else if (method === "Page.loadEventFired") {
      this.#loaded();
    }
  }
}
