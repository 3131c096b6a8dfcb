import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type Architecture,
  type Artifact,
  artifacts,
  guestImages,
  images,
  type KubernetesVersion,
  kubernetesVersions,
  testImages,
} from "../components/versions.ts";
import { DownloadError, downloadArtifact, sha256 } from "../offline/download.ts";
import { pullImage } from "../offline/image.ts";
import { products } from "../offline/products.ts";
import { tar } from "../offline/tar.ts";

const hex = /^[0-9a-f]{64}$/;

describe("table of versions", () => {
  for (const version of Object.keys(kubernetesVersions) as KubernetesVersion[]) {
    for (const architecture of ["amd64", "arm64"] satisfies Architecture[]) {
      const all: Artifact[] = Object.values(artifacts(version, architecture));
      const allImages = Object.values({
        ...images(version, architecture),
        ...guestImages(version, architecture),
        ...testImages(version, architecture),
      });

      describe(`${version} ${architecture}`, () => {
        it("has an https address and a checksum, or where to get it, for every artifact", () => {
          for (const { url, sha256, sha256Url } of all) {
            assert.match(url, /^https:\/\//);
            if (sha256 === undefined) assert.match(sha256Url ?? "", /^https:\/\/.+\.sha256$/, url);
            else assert.match(sha256, hex, url);
          }
        });

        it("says of every artifact which binaries it holds", () => {
          for (const { url, members, binary } of all) {
            assert.ok((members === undefined) !== (binary === undefined), url);
            assert.equal(/gz$/.test(url), members !== undefined, url);
          }
        });

        it("gives every file of a mirror a path of its own that names its architecture", () => {
          const files = [...all, ...allImages].map(({ file }) => file);
          assert.equal(new Set(files).size, files.length);
          for (const file of files) assert.ok(file.includes(architecture), file);
        });

        it("is what a mirror holds", () => {
          const pieces = products(version, architecture).flatMap((product) => product.pieces);
          assert.deepEqual(
            pieces.map(({ file }) => file).sort(),
            [...all, ...allImages].map(({ file }) => file).sort(),
          );
        });
      });
    }
  }

  it("has the same versions as the Go modules that are built offline", () => {
    const pinned = (name: string) =>
      /^(?:require |\t)\S+ v(\S+)$/m.exec(
        readFileSync(new URL(`../offline/go/${name}/go.mod`, import.meta.url), "utf8"),
      )?.[1];
    const { coredns } = kubernetesVersions["1.36.4"];
    const wanted = new Map<string, string>([["coredns", coredns]]);
    for (const { name, version } of Object.values<Artifact>(artifacts("1.36.4", "amd64"))) {
      wanted.set(name, version);
    }
    for (const [name, version] of wanted) assert.equal(pinned(name), version, name);
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
