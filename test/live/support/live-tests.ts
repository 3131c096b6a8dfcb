import { rm } from "node:fs/promises";
import { LiveStack, type WrittenSettings } from "./live-stack.ts";
import { step } from "./run.ts";

/** What the tests of one live stack share. */
export class LiveTests {
  /** Whether there is a cluster; a test that makes or destroys it says so here. */
  isUp = false;
  /** The stack, once the hooks that come first have run. */
  stack!: LiveStack;
  /** Its settings when the test began. */
  settings: WrittenSettings = {};

  /** Writes the settings with which the test began. */
  restoreSettings(): Promise<void> {
    return this.stack.write(this.settings);
  }

  /** A test of a cluster, which is skipped where there is none. */
  readonly itOnceUp = (title: string, test: () => Promise<void>): void => {
    const live = this;
    it(title, function () {
      if (!live.isUp) this.skip();
      return test();
    });
  };
}

/**
 * Tests of a live stack that is made before them and removed after them. What fails leaves its logs, and the stack as the other
 * tests expect it.
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
