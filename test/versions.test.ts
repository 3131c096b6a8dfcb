import assert from "node:assert/strict";
import {
  type Architecture,
  type Artifact,
  artifacts,
  defaultKubernetesVersion,
  guestImages,
  images,
  type KubernetesVersion,
  kubernetesVersions,
  minorOf,
  oldestFirst,
  testImages,
} from "../components/versions.ts";

const hex = /^[0-9a-f]{64}$/;

describe("table of versions", () => {
  it("has the newest version first", () => {
    const versions = Object.keys(kubernetesVersions);
    assert.deepEqual(versions, versions.toSorted(oldestFirst).reverse());
  });

  it("has two minor versions, and two patches of the default's", () => {
    const minors = Object.keys(kubernetesVersions).map(minorOf);
    assert.ok(new Set(minors).size >= 2, `${minors}`);
    const ofDefault = minors.filter((minor) => minor === minorOf(defaultKubernetesVersion));
    assert.ok(ofDefault.length >= 2, `${ofDefault}`);
  });

  it("pins each checksum of the default version that upstream lists", () => {
    const unpinned = Object.entries(artifacts(defaultKubernetesVersion, "amd64"))
      .filter(([, { sha256 }]) => sha256 === undefined)
      .map(([name]) => name);
    const unlisted = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"];
    assert.deepEqual(unpinned, unlisted);
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
            if (sha256 === undefined)
              assert.match(sha256Url ?? "", /^https:\/\/.+(\.sha256|\/SHA256SUMS)$/, url);
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
