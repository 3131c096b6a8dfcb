import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { DownloadError, downloadArtifact, sha256 } from "../mirror/download.ts";
import { pullImage } from "../mirror/image.ts";
import { products } from "../mirror/products.ts";
import type { Artifact, Table } from "../mirror/table.ts";
import { tar } from "../mirror/tar.ts";

describe("a mirror", () => {
  const artifact = (binary: string): Artifact => ({
    name: "kubernetes",
    version: "1.0.0",
    url: `https://example.com/${binary}`,
    file: `kubernetes/1.0.0/amd64/${binary}`,
    binary,
  });
  const table: Table = {
    kubernetesVersion: "1.0.0",
    architecture: "amd64",
    artifacts: [artifact("kubelet"), artifact("kubectl")],
    images: [
      { name: "example.com/pause:3.1", file: "images/pause-3.1-amd64.tar" },
      { name: "example.com/kube-proxy:v1.0.0", file: "images/kube-proxy-v1.0.0-amd64.tar" },
    ],
  };

  it("holds what the table lists, what is built together in one product", () => {
    assert.deepEqual(
      products(table).map(({ label, pieces }) => [label, ...pieces.map(({ file }) => file)]),
      [
        ["kubernetes 1.0.0", "kubernetes/1.0.0/amd64/kubelet", "kubernetes/1.0.0/amd64/kubectl"],
        ["example.com/pause:3.1", "images/pause-3.1-amd64.tar"],
        ["example.com/kube-proxy:v1.0.0", "images/kube-proxy-v1.0.0-amd64.tar"],
      ],
    );
  });

  it("refuses an image that it could not build", () => {
    const images = [{ name: "example.com/nginx:1.0", file: "images/nginx.tar" }];
    assert.throws(() => products({ ...table, images }), {
      message: /^example\.com\/nginx:1\.0: no recipe .*; choose images named pause, /,
    });
  });
});

describe("download", () => {
  const served = new Map<string, Buffer>();
  let server: Server;
  let host: string;

  before(async () => {
    server = createServer((request, response) => {
      const content = served.get(request.url!);
      response.writeHead(content === undefined ? 404 : 200).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(() => server.close());
  beforeEach(() => served.clear());

  const content = Buffer.from("a binary");
  const artifact = (sha256: string | undefined): Artifact => ({
    name: "tool",
    version: "1.0.0",
    url: `http://${host}/tool`,
    file: "tool/1.0.0/amd64/tool",
    sha256,
    ...(sha256 === undefined && { sha256Url: `http://${host}/tool.sha256` }),
    binary: "tool",
  });

  it("takes what has its checksum among those of other files", async () => {
    served.set("/tool", content);
    const other = `${"0".repeat(64)}  other\n`;
    for (const star of [" ", "*"]) {
      const lines = `${other}${sha256(content)} ${star}tool\n`;
      served.set("/tool.sha256", Buffer.from(lines));
      assert.deepEqual(await downloadArtifact(artifact(undefined)), content);
    }
    served.set("/tool.sha256", Buffer.from(other));
    await assert.rejects(downloadArtifact(artifact(undefined)), /expected none/);
  });

  it("takes what has the pinned checksum", async () => {
    served.set("/tool", content);
    assert.deepEqual(await downloadArtifact(artifact(sha256(content))), content);
  });

  it("takes what has the published checksum where none is pinned", async () => {
    served.set("/tool", content);
    served.set("/tool.sha256", Buffer.from(`${sha256(content)}  tool\n`));
    assert.deepEqual(await downloadArtifact(artifact(undefined)), content);
  });

  it("refuses a wrong checksum, naming the file and both sums", async () => {
    const expected = sha256(Buffer.from("another"));
    served.set("/tool", content);
    await assert.rejects(downloadArtifact(artifact(expected)), (error: Error) => {
      assert.ok(!(error instanceof DownloadError));
      for (const part of [`http://${host}/tool`, expected, sha256(content)]) {
        assert.ok(error.message.includes(part), error.message);
      }
      return true;
    });
  });

  it("tells a file that is not there from one that is wrong", async () => {
    await assert.rejects(downloadArtifact(artifact(sha256(content))), DownloadError);
  });

  const digest = (blob: Buffer) => `sha256:${sha256(blob)}`;
  const serveImage = () => {
    const serve = (kind: string, blob: Buffer) => {
      served.set(`/v2/some/image/${kind}/${digest(blob)}`, blob);
      return { mediaType: "application/test", digest: digest(blob), size: blob.length };
    };
    const [config, layer] = [Buffer.from("{}"), Buffer.from("layer")];
    const manifest = (architecture: string) => {
      const parts = {
        config: serve("blobs", config),
        layers: [serve("blobs", layer)],
        architecture,
      };
      return {
        ...serve("manifests", Buffer.from(JSON.stringify(parts))),
        platform: { os: "linux", architecture },
      };
    };
    const index = { manifests: [manifest("arm64"), manifest("amd64")] };
    served.set("/v2/some/image/manifests/1.0", Buffer.from(JSON.stringify(index)));
    return { layer };
  };

  it("pulls an image of one architecture as an archive under its full name", async () => {
    const { layer } = serveImage();
    const name = `${host}/some/image:1.0`;
    const archive = await pullImage(name, "amd64", "http");
    const read = (path: string) => execFileSync("tar", ["-xOf", "-", path], { input: archive });
    const [manifest] = JSON.parse(String(read("index.json"))).manifests;
    assert.equal(manifest.annotations["io.containerd.image.name"], name);
    const blob = (of: string) => read(`blobs/${of.replace(":", "/")}`);
    assert.equal(JSON.parse(String(blob(manifest.digest))).architecture, "amd64");
    assert.deepEqual(blob(digest(layer)), layer);
  });

  it("refuses an image with a damaged layer", async () => {
    const { layer } = serveImage();
    served.set(`/v2/some/image/blobs/${digest(layer)}`, Buffer.from("damaged"));
    await assert.rejects(pullImage(`${host}/some/image:1.0`, "amd64", "http"), {
      message: new RegExp(`${digest(layer)}: wrong SHA-256, expected ${sha256(layer)}, got `),
    });
  });
});

describe("tar", () => {
  it("is read by tar as it was meant", () => {
    const archive = tar([
      { path: "bin/" },
      {
        path: "bin/tool",
        content: Buffer.alloc(700, "x"),
        attributes: { "user.a": Buffer.from("b") },
      },
      { path: "bin/link", target: "tool" },
      { path: "note", mode: 0o640, content: Buffer.from("read me") },
    ]);
    const listed = execFileSync("tar", ["-tvf", "-", "--utc"], { input: archive }).toString();
    assert.equal(
      listed.replace(/ +/g, " "),
      [
        "drwxr-xr-x 0/0 0 1970-01-01 00:00 bin/",
        "-rwxr-xr-x 0/0 700 1970-01-01 00:00 bin/tool",
        "lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin/link -> tool",
        "-rw-r----- 0/0 7 1970-01-01 00:00 note",
        "",
      ].join("\n"),
    );
  });
});
