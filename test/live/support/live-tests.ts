import { rm } from "node:fs/promises";
import { LiveStack, type WrittenSettings } from "./live-stack.ts";
import { step } from "./run.ts";

/** The state that the tests of a live stack share. */
export class LiveTests {
  /** Whether there is a cluster; set by the tests that create and destroy the cluster. */
  isUp = false;
  /** The stack; set before the first test. */
  stack!: LiveStack;
  /** The settings of the stack before the current test. */
  settings: WrittenSettings = {};

  /** Writes the settings from before the current test. */
  restoreSettings(): Promise<void> {
    return this.stack.write(this.settings);
  }

  /** A test of the cluster; skipped where there is none. */
  readonly itOnceUp = (title: string, test: () => Promise<void>): void => {
    const live = this;
    it(title, function () {
      if (!live.isUp) this.skip();
      return test();
    });
  };
}

/**
 * Tests of a live stack, which is made before the first test and removed after the last. After a failed test, logs are kept and the
 * stack is restored for the next test.
 */
export function describeLive(title: string, define: (live: LiveTests) => void): void {
  describe(title, function () {
    this.timeout(900_000);
    const live = new LiveTests();
    let hasFailed = false;

    before(async () => {
      live.stack = await step("remove what an earlier run left", () => LiveStack.create());
    });

    beforeEach(function () {
      console.log(`  ${this.currentTest?.title}`);
      live.settings = live.stack.settings;
    });

    afterEach(async function () {
      if (this.currentTest?.state !== "failed") return;
      hasFailed = true;
      await live.stack.keepLogs(this.currentTest.title);
      await live.restoreSettings();
      if (!live.isUp) return;
      await live.stack.pulumi("cancel", "--yes");
      await step("put the stack right again", () =>
        live.stack.pulumi("up", "--yes", "--skip-preview"),
      );
    });

    after(async () => {
      await live.stack.remove();
      if (hasFailed) console.log(`\n  logs of what failed: ${live.stack.logs}`);
      else await rm(live.stack.logs, { recursive: true });
    });

    define(live);
  });
}
