import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../services/etcd-upkeep.sh", import.meta.url));
const mib = 1_048_576;

/** The state of a member that stand-ins of etcdctl tell. */
interface Member {
  readonly size: number;
  readonly used: number;
}

/** A stand-in for etcdctl with three members, of which cp1, which is asked, has the id 1 and so on. */
const etcdctl = `#!/bin/bash
set -e
endpoint=\${1#--endpoints=}
[[ $endpoint != https://127.0.0.1:2379 ]] || endpoint=cp1
shift
while [[ $1 == --* ]]; do shift; done
case "$*" in
  'member list')
    for n in 1 2 3; do echo "$n, started, cp$n, peer, cp$n, false"; done ;;
  'endpoint status --write-out=fields')
    [[ -e $DATA/$endpoint ]] || exit 1
    read -r size used <$DATA/$endpoint
    printf '"%s" : %s\\n' MemberID \${endpoint#cp} Leader "$(cat $DATA/leader)" DBSize $size DBSizeInUse $used \\
      DBSizeQuota $QUOTA Revision 42 Version '"3.6.14"' ;;
  'snapshot save '*) head -c 4096 /dev/zero >$3 ;;
  'get '*) printf 'k8s:enc:aescbc:v1:key1:x\\nk8s:enc:secretbox:v1:key2:y\\nk8s:enc:aescbc:v1:key1:z\\n' ;;
  defrag) read -r size used <$DATA/$endpoint; echo $used $used >$DATA/$endpoint; echo "defrag $endpoint" >>$DATA/did ;;
  'move-leader '*) echo $2 >$DATA/leader; echo "move-leader $2" >>$DATA/did ;;
  *) echo "$*" >>$DATA/did ;;
esac
`;
const etcdutl = `#!/bin/bash
echo '8d1d3a9f, 42, 7, 4.1 kB, 3.6.0'
`;

describe("etcd-upkeep", () => {
  let folder: string;
  const did = () =>
    existsSync(join(folder, "did"))
      ? readFileSync(join(folder, "did"), "utf8").trimEnd().split("\n")
      : [];
  const place = (name: string, text: string) => writeFileSync(join(folder, name), text);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kthw-upkeep-"));
    for (const [name, text] of Object.entries({ etcdctl, etcdutl })) {
      place(name, text);
      chmodSync(join(folder, name), 0o755);
    }
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs the script; `leader` is the number of a member. */
  function run(words: readonly string[], members: readonly Member[], leader: number, quota = 500) {
    members.forEach(({ size, used }, at) => {
      place(`cp${at + 1}`, `${size * mib} ${used * mib}\n`);
    });
    place("leader", `${leader}`);
    return spawnSync("bash", [script, ...words], {
      encoding: "utf8",
      env: {
        PATH: `${folder}:${process.env.PATH}`,
        ETCD_BINARIES: folder,
        DATA: folder,
        QUOTA: `${quota * mib}`,
        CLUSTER_NAME: "kubernetes",
        KUBERNETES_VERSION: "1.36.4",
      },
    });
  }
  const full = { size: 300, used: 100 };
  const neat = { size: 300, used: 290 };
  const small = { size: 100, used: 10 };

  it("defragments followers first, and a leader once it has handed on its office", () => {
    const { status, stderr } = run(["defragment", "45"], [full, full, full], 1);
    assert.equal(status, 0, stderr);
    assert.deepEqual(did(), ["defrag cp2", "defrag cp3", "move-leader 2", "defrag cp1"]);
  });

  it("defragments only where that is worth the while", () => {
    const { status, stderr } = run(["defragment", "45"], [neat, full, small], 1);
    assert.equal(status, 0, stderr);
    assert.deepEqual(did(), ["defrag cp2"]);
  });

  it("defragments from the leader's machine alone", () => {
    assert.equal(run(["defragment", "45"], [full, full, full], 2).status, 0);
    assert.deepEqual(did(), []);
  });

  it("defragments nothing while a member does not answer", () => {
    const { status, stderr } = run(["defragment", "45"], [full, full], 1);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^the member cp3 does not answer or has no leader; nothing is defragmented/m,
    );
    assert.deepEqual(did(), []);
  });

  it("makes room: drops history, defragments all, ends the alarm", () => {
    const { status, stderr, stdout } = run(["make-room"], [small, neat, full], 2);
    assert.equal(status, 0, stderr);
    assert.deepEqual(did(), [
      "compact --physical 42",
      "defrag cp1",
      "defrag cp3",
      "move-leader 1",
      "defrag cp2",
      "alarm disarm",
    ]);
    assert.match(stdout, /^cp3: 300 MiB before, 100 MiB after$/m);
  });

  it("leaves the alarm on where there is no room to make", () => {
    const { status, stderr } = run(["make-room"], [full, neat, full], 2, 200);
    assert.equal(status, 1);
    assert.equal(
      stderr,
      "cp2 is still full: 290 MiB of 200 MiB; raise etcd.quotaMiB, run make up, then this again\n",
    );
    assert.ok(!did().includes("alarm disarm"));
  });

  it("keeps the newest snapshots, each with its text", () => {
    const kept = join(folder, "kept");
    mkdirSync(kept);
    for (const name of ["20260101T000000Z", "20260102T000000Z", "20260103T000000Z"])
      for (const suffix of ["db", "txt"]) writeFileSync(join(kept, `${name}.${suffix}`), "");
    const { status, stdout, stderr } = run(["backup", kept, "2"], [small, small, small], 1);
    assert.equal(status, 0, stderr);
    const made = stdout.trim();
    const files = readdirSync(kept).sort();
    assert.deepEqual(files.slice(0, 2), ["20260103T000000Z.db", "20260103T000000Z.txt"]);
    assert.equal(join(kept, files[2]!), made);
    assert.equal(files.length, 4);
    const text = readFileSync(made.replace(/db$/, "txt"), "utf8");
    assert.match(text, /^cluster: kubernetes\n/);
    for (const line of ["kubernetes: 1.36.4", "etcd: 3.6.14", "storage: 3.6.0", "revision: 42"])
      assert.ok(text.includes(`\n${line}\n`), text);
    for (const line of ["keys: 7", "hash: 8d1d3a9f", "bytes: 4096"])
      assert.ok(text.includes(`\n${line}\n`), text);
    assert.ok(text.endsWith("\nencryption: aescbc/key1 secretbox/key2\n"), text);
  });

  it("takes no snapshot that fills the disk, and keeps those that are there", () => {
    writeFileSync(join(folder, "old.db"), "");
    place("df", "#!/bin/bash\necho 'Avail 1B-blocks'\necho '209715200 2097152000'\n");
    chmodSync(join(folder, "df"), 0o755);
    const { status, stderr } = run(["backup", folder, "1"], [full, full, full], 1);
    assert.equal(status, 1);
    assert.match(stderr, /a snapshot of 300 MiB would leave less than a twentieth of the disk/);
    assert.ok(existsSync(join(folder, "old.db")));
  });
});
