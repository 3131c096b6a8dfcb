import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { managerLeads } from "../services/kube-controller-manager.ts";
import { facts } from "./support/facts.ts";

describe("a controller manager leads", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-leads-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Whether the command succeeds where the lease was renewed at a time, and the machine's own controller manager was started at 10:00:05. */
  function leads(kubectl: string): boolean {
    const programs = { kubectl, systemctl: 'echo "@$(date --date=2026-01-01T10:00:05Z +%s)"' };
    for (const [name, text] of Object.entries(programs))
      writeFileSync(path.join(folder, name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
    const command = managerLeads({ ...facts, folders: { ...facts.folders, kubernetes: folder } });
    const env = { PATH: `${folder}:${process.env.PATH}`, TZ: "Asia/Kolkata" };
    return spawnSync("bash", ["-c", command], { env }).status === 0;
  }

  it("where the lease was renewed since this machine's own one was started", () => {
    assert.equal(leads("echo 2026-01-01T10:00:06.123456Z"), true);
  });

  it("not where the lease is one from before", () => {
    assert.equal(leads("echo 2026-01-01T10:00:04.123456Z"), false);
  });

  it("not where nobody has ever had the lease, or no API server answers", () => {
    assert.equal(leads("exit 1"), false);
  });
});
