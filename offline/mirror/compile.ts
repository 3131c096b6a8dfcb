import { type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";

interface GoBuild {
  readonly cgo?: boolean;
  readonly tags?: readonly string[];
  readonly linkerFlags?: (version: string) => readonly string[];
}

/** How upstream's release builds differ from a plain one, by folder of go/. */
const goBuilds: Readonly<Record<string, GoBuild>> = {
  kubernetes: {
    linkerFlags: (version) => {
      const [major, minor] = version.split(".");
      return ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((at) => [
        `-X ${at}.gitVersion=v${version} -X ${at}.gitTreeState=clean`,
        `-X ${at}.gitMajor=${major} -X ${at}.gitMinor=${minor}`,
      ]);
    },
  },
  etcd: {},
  containerd: {
    tags: ["no_btrfs", "no_devmapper", "no_zfs", "urfave_cli_no_docs"],
    linkerFlags: (version) => [
      `-X github.com/containerd/containerd/v2/version.Version=v${version}`,
    ],
  },
  runc: {
    cgo: true,
    tags: ["seccomp", "urfave_cli_no_docs", "netgo", "osusergo"],
    linkerFlags: () => ["-extldflags -static"],
  },
  "cni-plugins": {
    linkerFlags: (version) => [
      `-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v${version}`,
    ],
  },
  crictl: {
    linkerFlags: (version) => [`-X sigs.k8s.io/cri-tools/pkg/version.Version=${version}`],
  },
  coredns: {},
};

/**
 * Builds binaries into a folder from the Go module in go/<name>, whose go.mod or <version>.mod pins the
 * version and whose tools.go lists the packages; tells twice a minute how far it is.
 */
export async function compile(
  { name, version }: { readonly name: string; readonly version: string },
  binaries: readonly string[],
  folder: string,
  progress: (text: string) => void,
): Promise<void> {
  const cwd = join(import.meta.dirname, "..", "go", name);
  const modules = moduleFile(name, version);
  const tools = readFileSync(join(cwd, "tools.go"), "utf8");
  const packages = [...tools.matchAll(/_ "(.+)"/g)].map(([, path]) => path!);
  const { cgo, tags = [], linkerFlags } = goBuilds[name]!;
  const flags = ["-s", "-w", ...(linkerFlags?.(version) ?? [])].join(" ");
  const options = [
    "-v",
    "-mod=readonly",
    `-modfile=${modules}`,
    "-trimpath",
    "-buildvcs=false",
    "-tags",
    tags.join(","),
  ];
  await run(
    "go",
    [
      ...["build", ...options, "-ldflags", flags, "-o", `${folder}/`],
      ...packages.filter((path) => binaries.includes(binaryOf(path))),
    ],
    { cwd, env: { ...process.env, GOWORK: "off", CGO_ENABLED: cgo ? "1" : "0" } },
    progress,
  );
  if (binaries.includes("etcd")) renameSync(join(folder, "server"), join(folder, "etcd"));
}

/** The file of go/<name> that pins a version: that of its name, or else go.mod. */
function moduleFile(name: string, version: string): string {
  const folder = join(import.meta.dirname, "..", "go", name);
  const own = `${version}.mod`;
  if (existsSync(join(folder, own))) return own;
  if (readFileSync(join(folder, "go.mod"), "utf8").includes(` v${version}\n`)) return "go.mod";
  throw new Error(
    `${name} ${version}: can only be downloaded; offline/go/${name} pins other versions`,
  );
}

/** Builds pause.c into a folder. */
export async function compilePause(folder: string): Promise<void> {
  const source = join(import.meta.dirname, "pause.c");
  await run("gcc", ["-Os", "-Wall", "-static", "-s", "-o", join(folder, "pause"), source], {});
}

/** What building needs and this computer lacks. */
export function missingBuildTools(): string[] {
  const tools = [
    { what: "Go (https://go.dev/dl/)", command: ["go", "version"] },
    { what: "gcc", command: ["gcc", "--version"] },
    { what: "pkg-config and libseccomp-dev", command: ["pkg-config", "--exists", "libseccomp"] },
    { what: "iptables", command: ["/usr/sbin/xtables-nft-multi", "iptables", "--version"] },
    { what: "nftables", command: ["/usr/sbin/nft", "--version"] },
    { what: "busybox-static", command: ["/bin/busybox", "true"] },
  ];
  const works = ([program, ...args]: string[]) => spawnSync(program!, args).status === 0;
  return tools.filter(({ command }) => !works(command)).map(({ what }) => what);
}

/** Go names a binary after the last part of its path, versions aside; etcd's is then `server`. */
function binaryOf(goPackage: string): string {
  const name = basename(goPackage.replace(/\/v\d+$/, ""));
  return name === "server" ? "etcd" : name;
}

async function run(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  progress?: (text: string) => void,
): Promise<void> {
  const started = Date.now();
  const child = spawn(program, args, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  const lines: string[] = [];
  child.stderr!.on("data", (text: Buffer) => lines.push(...text.toString().trimEnd().split("\n")));
  const heart = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1000);
    progress?.(`${lines.length} packages compiled in ${seconds} s`);
  }, 30_000);
  try {
    const code = await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (code !== 0) throw new Error(`${program} failed:\n${lines.slice(-20).join("\n")}`);
  } finally {
    clearInterval(heart);
  }
}
