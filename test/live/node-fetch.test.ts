import assert from "node:assert/strict";
import { type Download, describeDownloads } from "../../node/downloads.ts";
import {
  applyAndWait,
  describeOnMachine,
  done,
  exists,
  fails,
  machine,
  service,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node fetch", () => {
  const http = "http://127.0.0.1:7080";
  const fetch = (...downloads: Download[]) =>
    machine.run("kthw-node fetch", describeDownloads(downloads));
  const artifact = (
    name: string,
    url: string,
    sum: string,
    members: Record<string, string> = { "-": name },
  ): Download => ({ kind: "binaries", name, version: "1.0", url, sum, members });
  const image = (url: string, sum: string): Download => ({
    kind: "image",
    name: "example/image:1",
    url,
    sum,
  });
  const plain = `${http}/plain`;
  const packed = `${http}/packed.tar.gz`;
  const both = { "./bin/one": "one", "./bin/two": "second" };
  const sum = async (file: string) =>
    `sha256:${(await machine.output(`sha256sum /srv/${file}`)).split(" ")[0]}`;
  const wrong = `sha256:${"0".repeat(64)}`;

  before("a server of files", async () => {
    await machine.output(`mkdir -p /srv/packed/bin; cd /srv
        printf '#!/bin/sh\\necho plain\\n' >plain
        for name in one two; do printf '#!/bin/sh\\necho %s\\n' $name >packed/bin/$name; done
        tar -czf packed.tar.gz -C packed ./bin/one ./bin/two
        sha256sum plain | cut -d' ' -f1 >plain.sha256
        sha256sum plain >plain.sha256sum
        sha256sum packed.tar.gz plain | sed 's/ plain/*plain/' >SHA256SUMS
        chmod 0755 /srv; touch /run/requests`);
    const path = "/etc/files/nginx.conf";
    const text = `daemon off;
pid /run/files.pid;
error_log stderr;
events {}
http {
  access_log /run/requests;
  server {
    listen 127.0.0.1:7080;
    root /srv;
    location /slow/ { alias /srv/; limit_rate 200; }
  }
}
`;
    await applyAndWait(
      service("files", [{ path, text }], {
        health: `curl --fail --silent ${plain}`,
        Service: { ExecStart: `/usr/sbin/nginx -c ${path}` },
      }),
    );
  });

  it("installs from a folder and from a server, and links", async () => {
    await done(
      fetch(
        artifact("copied", "file:///srv/plain", await sum("plain")),
        artifact("plain", plain, await sum("plain")),
        artifact("packed", packed, await sum("packed.tar.gz"), both),
        image(plain, await sum("plain")),
        { kind: "link", path: "/usr/local/bin/fetched", target: "/opt/kthw/packed/1.0/second" },
      ),
    );
    const said = "cd /opt/kthw; copied/1.0/copied; plain/1.0/plain; packed/1.0/one; fetched";
    assert.equal(await machine.output(said), "plain\nplain\none\ntwo");
    assert.equal(
      await machine.output("find /opt/kthw -type d ! -perm 0755; stat -c '%a %U' /opt/kthw/*/*/*"),
      Array(4).fill("755 root").join("\n"),
    );
    assert.equal(await machine.output("cat /opt/kthw/images/plain.name"), "example/image:1");
    assert.equal(
      await machine.output("stat -c %h /srv/plain; ls -A /opt/kthw"),
      "1\ncopied\nimages\npacked\nplain",
    );
  });

  it("is repeated by a repair for what is missing or was written to, and for that alone", async () => {
    const list = describeDownloads([
      artifact("copied", "file:///srv/plain", await sum("plain")),
      artifact("plain", plain, await sum("plain")),
      artifact("packed", packed, await sum("packed.tar.gz"), both),
      image(plain, await sum("plain")),
      { kind: "link", path: "/usr/local/bin/fetched", target: "/opt/kthw/packed/1.0/second" },
    ]);
    const inode = () => machine.output("stat -c %i /opt/kthw/copied/1.0/copied");
    const before = await inode();
    await machine.output(`cd /opt/kthw; echo x >>plain/1.0/plain; chmod 0600 packed/1.0/one
      echo x >images/plain; rm /usr/local/bin/fetched`);
    const { stdout } = await machine.run("kthw-node check-fetched", list);
    assert.equal(
      stdout,
      `${["plain/1.0/plain", "packed/1.0/one", "images/plain"].map((name) => `/opt/kthw/${name}: content\n`).join("")}/usr/local/bin/fetched: missing\n`,
    );
    await done(machine.run("kthw-node repair-fetched", list));
    await done(machine.run("kthw-node check-fetched", list));
    assert.equal(
      await machine.output("cd /opt/kthw; plain/1.0/plain; packed/1.0/one; fetched"),
      "plain\none\ntwo",
    );
    assert.equal(await inode(), before);
  });

  it("downloads one file after another where services run, side by side where none does", async () => {
    const most = async (...names: string[]) => {
      const downloads = names.map(async (name) =>
        artifact(name, `${http}/slow/plain`, await sum("plain")),
      );
      return machine.output(
        `exec 3<&0; kthw-node fetch <&3 & most=0
        while kill -0 $! 2>/dev/null; do
          count=$({ grep -lsx curl /proc/[0-9]*/comm || true; } | wc -l)
          ((count <= most)) || most=$count
          sleep 0.05
        done
        wait $!
        echo $most`,
        describeDownloads(await Promise.all(downloads)),
      );
    };
    assert.equal(await most("one", "other"), "1");
    await machine.output("mv /var/lib/kthw/services/files /run/files");
    assert.equal(await most("third", "fourth"), "2");
    await machine.output("mv /run/files /var/lib/kthw/services/files");
  });

  it("downloads nothing a second time", async () => {
    const look = () =>
      machine.output("wc -l </run/requests; find /opt/kthw -type f -printf '%p %i %T@\\n' | sort");
    const before = await look();
    await done(
      fetch(
        artifact("plain", plain, await sum("plain")),
        artifact("packed", packed, await sum("packed.tar.gz"), both),
        image(plain, await sum("plain")),
      ),
    );
    assert.equal(await look(), before);
  });

  it("downloads again what is not there any more, or should be another", async () => {
    for (const [change, word] of [
      ["rm /opt/kthw/packed/1.0/one", "one"],
      ["cd /srv; sed -i s/one/uno/ packed/bin/one; tar -czf packed.tar.gz -C packed ./bin", "uno"],
    ]) {
      await machine.output(`${change}`);
      await done(fetch(artifact("packed", packed, await sum("packed.tar.gz"), both)));
      assert.equal(await machine.output("/opt/kthw/packed/1.0/one"), word);
    }
  });

  it("installs nothing of a file with another sum, and names all three", async () => {
    const actual = (await sum("plain")).slice(7);
    for (const url of [plain, "file:///srv/plain"])
      await fails(
        fetch(artifact("forged", url, wrong)),
        new RegExp(
          `^kthw-node: ${url}: checksum differs, expected 0{64}, got ${actual}; nothing of it was installed$`,
          "m",
        ),
      );
    for (const one of [artifact("forged", packed, wrong, both), image(packed, wrong)])
      await fails(fetch(one), /checksum differs/);
    assert.equal(await exists("/opt/kthw/forged"), false);
    assert.equal(await exists("/opt/kthw/images/packed.tar.gz"), false);
  });

  it("keeps what was installed when its successor is forged", async () => {
    await fails(fetch(artifact("plain", plain, wrong)), /checksum differs/);
    assert.equal(await machine.output("/opt/kthw/plain/1.0/plain"), "plain");
  });

  it("takes a sum from an address", async () => {
    for (const name of ["plain.sha256", "plain.sha256sum", "SHA256SUMS"]) {
      await done(fetch(artifact(name, plain, `${http}/${name}`)));
      assert.equal(await machine.output(`/opt/kthw/${name}/1.0/${name}`), "plain");
    }
    await machine.output(`echo ${"1".repeat(64)} >/srv/wrong.sha256; : >/srv/empty.sha256`);
    await machine.output("sha256sum /srv/packed.tar.gz >/srv/others.sha256");
    for (const [name, said] of [
      ["others", /expected ,/],
      ["wrong", /expected 1{64},/],
      ["empty", /expected ,/],
      ["none", /could not download http.*none\.sha256/],
    ] as const)
      await fails(fetch(artifact("forged", plain, `${http}/${name}.sha256`)), said);
    assert.equal(await exists("/opt/kthw/forged"), false);
  });

  it("installs nothing of an archive that lacks a member", async () => {
    const members = { "./bin/one": "one", "bin/none": "none" };
    await fails(
      fetch(artifact("lacking", packed, await sum("packed.tar.gz"), members)),
      /could not unpack http:.*packed\.tar\.gz: tar: bin\/none: Not found in archive/,
    );
    await fails(
      fetch(artifact("lacking", plain, await sum("plain"), members)),
      /could not unpack http:.*plain: tar: This does not look like a tar archive/,
    );
    assert.equal(await exists("/opt/kthw/lacking"), false);
  });

  it("tells of each that fails, and installs the others", async () => {
    await fails(
      fetch(
        artifact("absent", `${http}/absent`, wrong),
        artifact("unread", "file:///srv/absent", wrong),
        artifact("present", plain, await sum("plain")),
      ),
      /could not download http:.*absent/,
      /could not read file:\/\/\/srv\/absent/,
    );
    assert.equal(await exists("/opt/kthw/present/1.0/present"), true);
    assert.equal(await machine.output("find /opt/kthw -name '.work.*'"), "");
  });
});
