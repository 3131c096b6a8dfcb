import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { promises as dns } from "node:dns";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { images } from "../components/versions.ts";
import { corefile } from "../services/core-dns.ts";
import { cacheFolder } from "../settings/caches.ts";

const mirror = path.join(cacheFolder(), "mirror");
const image = images("1.36.4", process.arch === "arm64" ? "arm64" : "amd64").coredns;
const archive = path.join(mirror, image.file);

/** An API that knows one service, `kubernetes` at 10.32.0.1. */
function api(): Server {
  const metadata = { name: "kubernetes", namespace: "default" };
  const port = { name: "https", port: 443, protocol: "TCP" };
  const items: Readonly<Record<string, readonly object[]>> = {
    namespaces: [{ metadata: { name: "default" } }],
    services: [
      { metadata, spec: { clusterIP: "10.32.0.1", clusterIPs: ["10.32.0.1"], ports: [port] } },
    ],
  };
  const kinds: Readonly<Record<string, string>> = {
    endpointslices: "EndpointSlice",
    namespaces: "Namespace",
    services: "Service",
  };
  return createServer(({ url = "" }, response) => {
    const { pathname, searchParams } = new URL(url, "http://api");
    const [version, resource] = pathname.split("/").slice(-2) as [string, string];
    response.setHeader("content-type", "application/json");
    const kind = kinds[resource];
    if (kind === undefined) {
      response.end(JSON.stringify({ major: "1", minor: "36" }));
      return;
    }
    const apiVersion = pathname.startsWith("/apis/") ? `discovery.k8s.io/${version}` : version;
    const known = items[resource] ?? [];
    if (searchParams.get("watch")) {
      const end = { resourceVersion: "1", annotations: { "k8s.io/initial-events-end": "true" } };
      const events = known.map((object) => ({ type: "ADDED", object }));
      const bookmark = { type: "BOOKMARK", object: { metadata: end } };
      for (const { type, object } of [...events, bookmark])
        response.write(JSON.stringify({ type, object: { kind, apiVersion, ...object } }));
    } else {
      const metadata = { resourceVersion: "1" };
      response.end(JSON.stringify({ kind: `${kind}List`, apiVersion, metadata, items: known }));
    }
  });
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}

describe("the cluster's DNS server", function () {
  this.timeout(30_000);
  let folder: string;
  let kubernetes: Server;
  let server: ChildProcess | undefined;
  let said = "";
  const resolver = new dns.Resolver({ timeout: 2_000, tries: 2 });

  /** Starts CoreDNS, on ports of this test, with a Corefile of ours. */
  async function start(text: string): Promise<void> {
    const port = await freePort();
    const url = `http://127.0.0.1:${(kubernetes.address() as AddressInfo).port}`;
    const own = text
      .replaceAll(":53", `:${port}`)
      .replaceAll("    errors\n", "    errors\n    bind 127.0.0.1\n")
      .replace(/ {4}health \{[^}]*\}\n {4}ready\n/, "")
      .replace("pods insecure", `endpoint ${url}\n        pods insecure`)
      .replace(/ {4}(prometheus .*|reload)\n/g, "");
    writeFileSync(path.join(folder, "Corefile"), own);
    server = spawn(path.join(folder, "coredns"), ["-conf", path.join(folder, "Corefile")]);
    said = "";
    for (const stream of [server.stdout!, server.stderr!])
      stream.on("data", (data: Buffer) => {
        said += data;
      });
    resolver.setServers([`127.0.0.1:${port}`]);
    for (let tries = 0; tries < 60; tries++) {
      const found = await resolver.resolve4("kubernetes.default.svc.cluster.local").catch(() => []);
      if (found.length > 0) return;
      await new Promise((done) => setTimeout(done, 200));
    }
    assert.fail(said);
  }

  before(async function () {
    if (!existsSync(archive)) this.skip();
    folder = mkdtempSync(path.join(os.tmpdir(), "kthw-dns-"));
    execFileSync("tar", ["--extract", "--file", archive, "--directory", folder]);
    const blobs = path.join(folder, "blobs/sha256");
    for (const blob of readdirSync(blobs).map((name) => path.join(blobs, name))) {
      if (readFileSync(blob).subarray(0, 1).toString() === "{") continue;
      execFileSync("tar", ["--extract", "--file", blob, "--directory", folder]);
    }
    kubernetes = api().listen(0, "127.0.0.1");
    await once(kubernetes, "listening");
  });
  afterEach(async () => {
    if (server?.exitCode === null) {
      server.kill("SIGKILL");
      await once(server, "exit");
    }
    server = undefined;
  });
  after(() => {
    kubernetes?.closeAllConnections();
    kubernetes?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  const answer = (asked: Promise<unknown>) =>
    asked.then(JSON.stringify, ({ code }: NodeJS.ErrnoException) => code);

  it("says of names outside the cluster that there are none, where it has nobody to ask", async () => {
    await start(corefile("cluster.local", []));
    const answers = await Promise.all(
      [
        resolver.resolve4("example.com"),
        resolver.resolve6("www.example.com"),
        resolver.resolveMx("com"),
        resolver.resolvePtr("1.0.0.127.in-addr.arpa"),
        resolver.resolvePtr("1.0.0.0.ip6.arpa"),
        resolver.resolve4("nobody.default.svc.cluster.local"),
        resolver.resolve4("kubernetes.default.svc.cluster.local"),
        resolver.resolvePtr("1.0.32.10.in-addr.arpa"),
      ].map(answer),
    );
    assert.deepEqual(answers, [
      ...Array(6).fill("ENOTFOUND"),
      '["10.32.0.1"]',
      '["kubernetes.default.svc.cluster.local"]',
    ]);
    assert.doesNotMatch(said, /ERROR/);
  });
});
