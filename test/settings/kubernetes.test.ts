import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import {
  artifacts,
  type KubernetesVersion,
  kubernetesVersions,
} from "../../components/versions.ts";
import { reservedApiServerFlags } from "../../services/kube-apiserver.ts";
import { reservedControllerManagerFlags } from "../../services/kube-controller-manager.ts";
import { reservedSchedulerFlags } from "../../services/kube-scheduler.ts";
import { reservedKubeletFields } from "../../services/kubelet.ts";
import { cacheFolder } from "../../settings/caches.ts";
import { knownTo, type Program } from "../../settings/kubernetes.ts";

const mirror = path.join(cacheFolder(), "mirror");
const arch = process.arch === "arm64" ? "arm64" : "amd64";
/** How --help writes some kinds. */
const inHelp: Readonly<Record<string, string>> = {
  "[]v1.Taint": "",
  bool: "",
  float64: "float",
  int64: "int",
  stringSlice: "strings",
};
/** What --help shows in place of a kind where the flag's description has a word in backquotes. */
const inDescription: Readonly<Record<string, string>> = { "seccomp-default": "RuntimeDefault" };
const reserved = {
  "kube-apiserver": reservedApiServerFlags,
  "kube-controller-manager": reservedControllerManagerFlags,
  "kube-scheduler": reservedSchedulerFlags,
} as const;
const programs = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const;

for (const version of Object.keys(kubernetesVersions) as KubernetesVersion[])
  describe(`what Kubernetes ${version} knows`, () => {
    const known = knownTo(version);

    for (const program of [...programs, "kubelet"] as const) {
      it(`of flags is what its ${program} tells of itself`, function () {
        const binary = path.join(mirror, artifacts(version, arch)[program].file);
        if (!existsSync(binary)) this.skip();
        const help = spawnSync(binary, ["--help"], { encoding: "utf8" }).stdout;
        const flags = new Map(
          [...help.matchAll(/^ {2}(?: {4}|-\w, )--([\w-]+) ?([^\s[]*)/gm)].map(([, flag, kind]) => [
            flag!,
            kind!,
          ]),
        );
        assert.ok(flags.size > 50, `${flags.size} flags`);
        for (const [flag, kind] of flags) {
          const ours = known.flags[program].get(flag);
          assert.ok(ours !== undefined, flag);
          assert.equal(inDescription[flag] ?? inHelp[ours] ?? ours, kind, flag);
        }
        const gates = [...help.matchAll(/^\s+(?:kube:)?(\w+)=true\|false \(/gm)];
        assert.ok(gates.length > 50, `${gates.length} feature gates`);
        for (const [, gate] of gates) assert.ok(known.featureGates.has(gate!), gate);
      });

      it(`of flags is what its ${program} takes, those that --help leaves out too`, function () {
        const binary = path.join(mirror, artifacts(version, arch)[program].file);
        if (!existsSync(binary)) this.skip();
        // The first that is not known ends the program before any is used.
        const flags = [...known.flags[program].keys()].filter(
          (flag) => flag !== "help" && flag !== "version",
        );
        const given = flags.map((flag) => `--${flag}=${example(program, flag)}`);
        const { stdout, stderr } = spawnSync(binary, [...given, "--version"], { encoding: "utf8" });
        assert.equal(stdout.trim(), `Kubernetes v${version}`, stderr.slice(0, 2000));
      });
    }

    function example(program: Program, flag: string): string {
      const kind = known.flags[program].get(flag)!;
      const examples: Readonly<Record<string, string>> = {
        Level: "1",
        bool: "true",
        colonSeparatedMultimapStringString: "",
        duration: "1s",
        float32: "1",
        float64: "1",
        int: "1",
        int32: "1",
        int32Slice: "1",
        int64: "1",
        ip: "192.0.2.1",
        mapStringString: /^eviction-(hard|soft)$/.test(flag) ? "a<b" : "a=b",
        namedCertKey: "a,b",
        portRange: "1-2",
        quantity: "1",
        stringToString: "a=b",
        uint: "1",
      };
      return examples[kind] ?? "";
    }

    it("holds every flag and field that the program decides", () => {
      for (const program of programs)
        for (const flag of Object.keys(reserved[program]))
          assert.ok(known.flags[program].has(flag), `${program} --${flag}`);
      for (const field of Object.keys(reservedKubeletFields))
        assert.ok(known.fields.get("KubeletConfiguration")!.has(field), field);
    });

    it("of fields is what the source of KubeletConfiguration says", function () {
      const cache =
        spawnSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" }).stdout?.trim() ?? "";
      const module = `k8s.io/kubelet@${version.replace("1.", "v0.")}`;
      const source = path.join(cache, module, "config/v1beta1/types.go");
      if (!existsSync(source)) this.skip();
      let seen = 0;
      for (const [, struct, body] of readFileSync(source, "utf8").matchAll(
        /^type (\w+) struct \{\n([\s\S]*?)^\}/gm,
      )) {
        const fields = known.fields.get(struct!);
        if (!fields) continue;
        const names = [...body!.matchAll(/^\t\w+ .*`json:"(\w+)/gm)].map(([, name]) => name!);
        const inlined = ["kind", "apiVersion"];
        assert.deepEqual(
          [...fields.keys()].filter((name) => !inlined.includes(name)),
          names,
          struct,
        );
        seen++;
      }
      assert.ok(seen > 8, `${seen} structs`);
    });
  });
