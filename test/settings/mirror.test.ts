import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { mirrorFiles } from "../../components/downloads.ts";
import { readMirror } from "../../settings/mirror.ts";
import { itRefuses } from "../support/settings.ts";

describe("a mirror", () => {
  const files = mirrorFiles("1.36.4", "amd64");
  const sumOf = (index: number) => index.toString(16).padStart(64, "0");
  const lines = files.map((file, index) => `${sumOf(index)}  ${file}\n`);
  const list = lines.join("");
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-mirror-"));
    for (const file of files) {
      mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
      writeFileSync(path.join(folder, file), "");
    }
    writeFileSync(path.join(folder, "SHA256SUMS"), list);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const readIt = (mirror: string | undefined) =>
    readMirror({ artifacts: { mirror }, architecture: "amd64", kubernetesVersion: "1.36.4" });
  const served = async (answer: string | undefined, use: (address: string) => Promise<void>) => {
    const server = createServer((request, response) => {
      if (request.url !== "/kthw/SHA256SUMS" || answer === undefined) response.statusCode = 404;
      response.end(answer);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await use(`http://127.0.0.1:${port}/kthw/`);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };

  it("gives the sums of its files", async () => {
    const sums = new Map(files.map((file, index) => [file, sumOf(index)]));
    assert.deepEqual(await readIt(folder), { sums });
    await served(list, async (address) => assert.deepEqual(await readIt(address), { sums }));
  });

  it("takes the ways in which sha256sum writes a line", async () => {
    writeFileSync(path.join(folder, "SHA256SUMS"), list.replaceAll("  ", " *./"));
    assert.ok("sums" in (await readIt(folder)));
  });

  it("need not be there for upstream", async () =>
    assert.deepEqual(await readIt(undefined), { sums: new Map() }));

  it("without a list", async () => {
    rmSync(path.join(folder, "SHA256SUMS"));
    const todo = "fill the mirror, the default one with `make artifacts`";
    assert.deepEqual(await readIt(folder), {
      mistakes: [
        `artifacts.mirror: no SHA256SUMS (ENOENT: no such file or directory, open '${folder}/SHA256SUMS'), got ${folder}; ${todo}`,
      ],
    });
    let gone = "";
    await served(undefined, async (address) => {
      gone = address;
      assert.deepEqual(await readIt(address), {
        mistakes: [`artifacts.mirror: no SHA256SUMS (404 Not Found), got ${address}; ${todo}`],
      });
    });
    const refused = `connect ECONNREFUSED ${new URL(gone).host}`;
    assert.deepEqual(await readIt(gone), {
      mistakes: [`artifacts.mirror: no SHA256SUMS (${refused}), got ${gone}; ${todo}`],
    });
  });

  it("without artifacts", async () => {
    const [, , ...others] = lines;
    writeFileSync(path.join(folder, "SHA256SUMS"), `oops\n${others.join("")}`);
    rmSync(path.join(folder, files[2]!));
    assert.deepEqual(await readIt(folder), {
      mistakes: [
        "artifacts.mirror: line 1 of SHA256SUMS is not a checksum and a path, got oops; write it as sha256sum does",
        `artifacts.mirror: SHA256SUMS without ${files[0]}, got ${folder}; add the file and its line; the default mirror is filled by \`make artifacts\``,
        `artifacts.mirror: SHA256SUMS without ${files[1]}, got ${folder}; add the file and its line; the default mirror is filled by \`make artifacts\``,
        `artifacts.mirror: without ${files[2]}, got ${folder}; add the file`,
      ],
    });
  });
});

describe("a mirror's address", () => {
  itRefuses([
    [
      { "artifacts.mirror": "https://mirror.example.com/a b", platform: "local" },
      "artifacts.mirror: neither an absolute folder nor an http(s) address, got https://mirror.example.com/a b; write it like /srv/kthw or https://mirror.example.com/kthw",
    ],
  ]);
});
