import assert from "node:assert/strict";
import {
  type Architecture,
  type Artifact,
  artifacts,
  guestImages,
  images,
  type KubernetesVersion,
  kubernetesVersions,
  newestKubernetesVersion,
  testImages,
} from "../components/versions.ts";

const hex = /^[0-9a-f]{64}$/;

describe("table of versions", () => {
  it("has the newest version first, which is the default", () => {
    const versions = Object.keys(kubernetesVersions);
    const newestFirst = new Intl.Collator("en", { numeric: true });
    assert.deepEqual(versions, versions.toSorted(newestFirst.compare).reverse());
    assert.equal(newestKubernetesVersion, versions[0]);
  });

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
      });
    }
  }
});
