import { execFileSync } from "node:child_process";

describe("tests on machines", () => {
  it("load with nothing of ours in the environment", function () {
    this.timeout(60_000);
    const files = ["test/live/*.test.ts", "test/libvirt/*.test.ts"];
    execFileSync("npx", ["mocha", "--dry-run", ...files], { env: { PATH: process.env.PATH } });
  });
});
