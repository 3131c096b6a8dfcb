import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const script = readFileSync(new URL("../stacks/hosts/check.sh", import.meta.url), "utf8");

/** What is otherwise on a host than on one that can be given a worker. */
interface Host {
  /** Arguments of the check. */
  readonly words?: Readonly<Record<string, string>>;
  /** Texts of files, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Lines of a shell in place of programs, by name. */
  readonly programs?: Readonly<Record<string, string>>;
  /** The password of sudo in the settings. */
  readonly password?: string;
}

describe("the check of a host", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-check-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** What the check of worker1 says about some matter; what else it says is of the computer that runs this test. */
  const said = (about: RegExp, { words = {}, files = {}, programs = {}, password }: Host = {}) => {
    const put = (file: string, text: string, mode = 0o644) => {
      const to = path.join(folder, file);
      mkdirSync(path.dirname(to), { recursive: true });
      writeFileSync(to, text, { mode });
    };
    const limit = { "/proc/sys/fs/inotify/max_user_instances": "128\n" };
    for (const [file, text] of Object.entries({ ...limit, ...files })) put(file, text);
    const own = { uname: "echo worker1", find: `${findFiles}\nexec /usr/bin/find "$@"` };
    for (const [name, lines] of Object.entries({ ...own, ...programs }))
      put(`bin/${name}`, `#!/bin/sh\n${lines}\n`, 0o755);
    const here = script
      .replaceAll(
        /(\/etc|\/run|\/usr\/local\/lib|\/usr\/lib|\$folder)\/sysctl\.d/g,
        `${folder}$1/sysctl.d`,
      )
      .replaceAll("/etc/sysctl.conf", `${folder}/etc/sysctl.conf`)
      .replaceAll("/proc/sys/fs", `${folder}/proc/sys/fs`)
      .replace("PATH=/usr", `PATH=${folder}/bin:/usr`);
    const resolv = path.join(folder, "etc/resolv.conf");
    const all = { node: "yes", container: "no", resolv, ...words };
    const args = Object.entries(all).map(([name, value]) => `${name}=${value}`);
    const usual = { ...process.env, PATH: `${folder}/bin:${process.env["PATH"]}` };
    const env = { ...usual, ...(password !== undefined && { LC_KTHW_SUDO: password }) };
    const { stdout } = spawnSync("sh", ["-s", "--", "worker1", ...args], {
      env,
      input: here,
      encoding: "utf8",
    });
    return stdout
      .replaceAll(folder, "")
      .split("\n")
      .filter((line) => about.test(line));
  };
  /** A listing of so many open inotify instances. */
  const findFiles = '[ "$1" != /proc ] || { seq "${TAKEN-0}"; exit; }';

  describe("of its name", () => {
    const named = (name: string) =>
      said(/another host name/, { programs: { uname: `echo ${name}` } });
    it("takes one in capital letters, of which Kubernetes makes small ones", () => {
      assert.deepEqual(named("worker1"), []);
      assert.deepEqual(named("Worker1"), []);
    });
    it("tells what to do about one with a domain", () =>
      assert.deepEqual(named("worker1.example.com"), [
        "worker1: another host name, by which its Node would be called, got worker1.example.com; hostnamectl set-hostname worker1",
      ]));
    it("tells what to do about another", () =>
      assert.deepEqual(named("worker7"), [
        "worker1: another host name, by which its Node would be called, got worker7; hostnamectl set-hostname worker1, or name the machine so",
      ]));
  });

  describe("of the way to other nodes", () => {
    const ip = [
      'case "$*" in',
      '  "-4 route get 10.240.0.21") echo "10.240.0.21 dev eth0 src 10.240.0.11 uid 0" ;;',
      '  "-4 route get 10.241.0.22") echo "10.241.0.22 via 10.240.0.1 dev eth0 src 10.240.0.11 uid 0" ;;',
      '  "-4 route get "*) echo "RTNETLINK answers: Network is unreachable" >&2; exit 2 ;;',
      "esac",
    ].join("\n");
    const toPeers = (peers: string) =>
      said(/behind a router/, { words: { peers }, programs: { ip } });
    it("takes nodes in its own network", () => assert.deepEqual(toPeers("10.240.0.21"), []));
    it("tells all that are behind a router, or nowhere", () =>
      assert.deepEqual(toPeers("10.240.0.21 10.241.0.22 10.242.0.23"), [
        "worker1: nodes behind a router, through which routes to their pods do not lead, got 10.241.0.22 via 10.240.0.1 dev eth0, no route to 10.242.0.23; put all nodes into one network, or use network weave",
      ]));
  });

  describe("of files of sysctl", () => {
    const off = "net.ipv4.ip_forward = 0\n";
    const having = (files: Readonly<Record<string, string>>) => said(/forwarding/, { files });
    const told = (file: string) => [
      `worker1: a file that switches forwarding off again, since it is read after /etc/sysctl.d/90-kubernetes.conf, got ${file}; take net.ipv4.ip_forward out of it`,
    ];
    it("tells the last that switches forwarding off", () => {
      assert.deepEqual(
        having({ "/etc/sysctl.d/99-hard.conf": off }),
        told("/etc/sysctl.d/99-hard.conf"),
      );
    });
    it("tells the one of all", () =>
      assert.deepEqual(
        having({ "/etc/sysctl.conf": "net/ipv4/conf/all/forwarding=0\n" }),
        told("/etc/sysctl.conf"),
      ));
    it("takes what another file hides", () =>
      assert.deepEqual(
        having({ "/usr/lib/sysctl.d/91-hard.conf": off, "/etc/sysctl.d/91-hard.conf": "" }),
        [],
      ));
    it("takes what is read before, is overruled, or is a comment", () =>
      assert.deepEqual(
        having({
          "/etc/sysctl.d/10-hard.conf": off,
          "/etc/sysctl.d/95-hard.conf": off,
          "/etc/sysctl.d/99-soft.conf": "-net.ipv4.ip_forward=1\n",
          "/etc/sysctl.conf": `#${off}`,
        }),
        [],
      ));
  });

  describe("of DNS servers", () => {
    const having = (text: string, words = {}) =>
      said(/DNS servers/, { files: { "/etc/resolv.conf": text }, words });
    it("tells those that no pod reaches", () =>
      assert.deepEqual(having("nameserver 127.0.0.53\noptions edns0\n"), [
        "worker1: its /etc/resolv.conf has only DNS servers that no pod with dnsPolicy Default reaches, got 127.0.0.53; set resolvConf of its kubelet to a file with others, like /run/systemd/resolve/resolv.conf",
      ]));
    it("takes others, and none at all", () => {
      assert.deepEqual(having("nameserver 127.0.0.53\nnameserver 192.0.2.53 # ours\n"), []);
      assert.deepEqual(having("search example.com\n"), []);
    });
  });

  describe("of inotify instances", () => {
    const taken = (count: number, words = {}) =>
      said(/inotify/, {
        words,
        programs: { find: `TAKEN=${count}\n${findFiles}\nexec /usr/bin/find "$@"` },
      });
    it("tells where too few are left", () =>
      assert.deepEqual(taken(65), [
        "worker1: too few inotify instances for root, got 128, of which 65 are taken; set fs.inotify.max_user_instances = 8192 in a file of /etc/sysctl.d, and run sysctl --system",
      ]));
    it("takes enough of them, and a container, which shares them", () => {
      assert.deepEqual(taken(64), []);
      assert.deepEqual(taken(65, { container: "yes" }), []);
    });
  });

  describe("of the right to become root", () => {
    const id = "case $1 in -u) echo 1000 ;; *) echo ada ;; esac";
    /** A sudo that may ask for a password, and that runs programs with a PATH of its own. */
    const sudo = (securePath: string, password = "") =>
      [
        'case "$1 $2" in',
        `  "-A -p") [ "$("$SUDO_ASKPASS" "$3")" = '${password}' ] || exit 1; shift 3 ;;`,
        `  -n*) [ -z '${password}' ] || exit 1; shift ;;`,
        "esac",
        `[ "$1" != printenv ] || { echo ${securePath}; exit; }`,
        'exec "$@"',
      ].join("\n");
    const usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const sshd = "printf 'port 22\\nacceptenv LANG\\nacceptenv LC_*\\n'";
    const about = /sudo/;

    it("takes sudo without a password, and with that of the settings", () => {
      assert.deepEqual(said(about, { programs: { id, sudo: sudo(usual) } }), []);
      const programs = { id, sudo: sudo(usual, "s3 cret"), sshd };
      assert.deepEqual(said(about, { programs, password: "s3 cret" }), []);
    });
    it("tells where sudo asks for a password", () => {
      const programs = { id, sudo: sudo(usual, "s3 cret") };
      assert.deepEqual(said(about, { programs }), [
        "worker1: no right to sudo without a password, got ada; add the line ada ALL=(ALL) NOPASSWD: ALL by visudo, or set hosts.sudoPassword",
      ]);
      assert.deepEqual(said(about, { programs, password: "wrong" }), [
        "worker1: no right to sudo with the password of the settings, got ada; set hosts.sudoPassword to the password of ada, who must be one of sudoers",
      ]);
    });
    it("tells where the SSH server does not take the password", () => {
      const programs = { id, sudo: sudo(usual, "s3 cret"), sshd: "echo acceptenv LANG" };
      assert.deepEqual(said(about, { programs, password: "s3 cret" }), [
        "worker1: its SSH server takes no variable LC_KTHW_SUDO, by which commands get sudo's password, got AcceptEnv LANG; add the line AcceptEnv LC_* to /etc/ssh/sshd_config, and reload ssh",
      ]);
    });
    it("tells where sudo does not find kthw-node", () =>
      assert.deepEqual(said(about, { programs: { id, sudo: sudo("/usr/sbin:/usr/bin") } }), [
        "worker1: sudo's secure_path lacks /usr/local/bin, where kthw-node is to lie, got /usr/sbin:/usr/bin; add /usr/local/bin to secure_path by visudo",
      ]));
  });
});
