import assert from "node:assert/strict";
import { type Bundle, describeBundle } from "../../node/description.ts";
import {
  apply,
  applyAndWait,
  applyWhile,
  describeOnMachine,
  done,
  exists,
  file,
  invocation,
  killedAt,
  machine,
  node,
  service,
  text,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node apply of a bundle", () => {
  const pki = "/etc/paired/pki";
  const pair = (word: string): Bundle => ({
    name: "paired",
    users: ["paired"],
    files: [
      file(`${pki}/server.crt`, { text: `${word}\n` }),
      file(`${pki}/server.key`, { text: `${word}\n`, mode: "0600", owner: "paired:paired" }),
    ],
  });
  const folder = "/var/lib/kthw/bundles/paired";

  it("is links through one, to files that their owner reaches and nobody lists", async () => {
    await apply(pair("one"));
    await done(node("check", pair("one")));
    assert.equal(
      await machine.output(`readlink ${pki}/server.crt ${pki}/server.key`),
      `${folder}/current${pki}/server.crt\n${folder}/current${pki}/server.key`,
    );
    assert.equal(
      await machine.output(`stat --dereference --format='%a %U:%G' ${pki}/server.*`),
      "644 root:root\n600 paired:paired",
    );
    const as = (user: string, command: string) =>
      machine.run(`runuser -u ${user} -- ${command}`).then(({ code }) => code === 0);
    assert.equal(await as("paired", `cat ${pki}/server.crt ${pki}/server.key`), true);
    assert.equal(await as("www-data", `cat ${pki}/server.crt`), true);
    assert.equal(await as("www-data", `cat ${pki}/server.key`), false);
    const folders = (
      await machine.output(`cd ${folder}/current; find / -xdev -path '/var/lib/kthw*' -type d -prune -print
          find /var/lib/kthw/bundles -type d; find -L ${folder}/current -type d`)
    ).split("\n");
    assert.ok(folders.length > 6);
    for (const one of folders) assert.equal(await as("paired", `ls ${one}`), false, one);
    assert.equal(await as("paired", "ls /var/lib/kthw/services/demo"), false);
  });

  it("stays as it is in a rerun", async () => {
    const look = () =>
      machine.output(`find /etc/paired /var/lib/kthw/bundles -printf '%p %i %C@ %T@\\n' | sort`);
    const before = await look();
    await apply(pair("one"));
    assert.equal(await look(), before);
  });

  it("changes all of its files at the same instant, and keeps no old ones", async () => {
    await applyWhile(
      `last= changes=0 reads=0
        until ((changes > 6 && reads > 300)); do
          cd -P ${folder}/current; before=$PWD
          IFS= read -r certificate <${pki}/server.crt
          IFS= read -r key <${pki}/server.key
          cd -P ${folder}/current
          [[ $PWD != "$before" || $certificate == "$key" ]] || echo "$certificate with $key"
          [[ $last == "$key" ]] || ((++changes))
          last=$key; ((++reads))
        done 2>/dev/null`,
      (count) => pair(`${count}`),
    );
    await apply(pair("last"));
    assert.equal(await text(`${pki}/server.key`), "last\n");
    assert.equal(
      await machine.output(`ls ${folder} | sed 's/^[0-9a-f]*$/version/'`),
      "version\ncurrent\nplaced",
    );
  });

  it("that was cut off still is the old pair, and then the new", async () => {
    for (const pattern of ["*server.key", "*current"]) {
      await killedAt("mv", pattern, pair(`cut off at ${pattern}`));
      const old = await text(`${pki}/server.crt`);
      assert.equal(await text(`${pki}/server.key`), old);
      await apply(pair(old.trimEnd()));
      assert.equal(await machine.output(`ls -A ${folder} | wc -l`), "3");
      await apply(pair(`after ${pattern}`));
      assert.equal(await text(`${pki}/server.key`), `after ${pattern}\n`);
      assert.equal(await machine.output(`ls -A ${folder} | wc -l`), "3");
    }
  });

  it("loses a file that left the list, and check names what differs", async () => {
    const [certificate] = pair("one").files;
    const smaller: Bundle = { ...pair("one"), files: [certificate!] };
    await apply(pair("one"));
    await machine.output(`cp --remove-destination $(readlink -f ${pki}/server.key) ${pki}/server.key
        echo x >$(readlink -f ${pki}/server.crt)`);
    assert.equal(
      (await node("check", pair("one"))).stdout,
      `${pki}/server.crt: content\n${pki}/server.key: missing\n`,
    );
    await apply(pair("one"));
    await done(node("check", pair("one")));
    assert.equal((await node("check", smaller)).stdout.includes("server.key: superfluous"), true);
    await apply(smaller);
    assert.equal(await exists(`${pki}/server.key`), false);
    assert.equal(await exists(`${folder}/current${pki}/server.key`), false);
  });

  it("and a service of one name leave each other alone", async () => {
    const one = service("paired", [], { reads: [`${pki}/server.crt`, `${pki}/server.key`] });
    await apply(pair("one"));
    await applyAndWait(one);
    const before = await invocation("paired");
    await done(node("check", pair("one")));
    await apply(pair("two"));
    await done(node("check", one));
    await applyAndWait(one);
    assert.notEqual(await invocation("paired"), before);
    await done(node("remove", one));
    await done(node("check", pair("two")));
  });

  it("is removed without a trace", async () => {
    for (const _ of ["first", "second"]) {
      await done(node("remove", pair("two")));
      assert.equal(await machine.output("find /etc /var/lib/kthw -name '*paired*'"), "");
    }
  });

  it("stands in no command line and no environment", async () => {
    await machine.output(
      `mkdir /run/spy; cat >/run/spy/.spy; chmod +x /run/spy/.spy
        for program in /usr/bin/* /usr/sbin/*; do ln -sf .spy /run/spy/\${program##*/}; done; rm /run/spy/bash`,
      `#!/bin/bash
{ printf '%s\\n' "$0" "$@"; /usr/bin/env; } >>/run/spied
PATH=\${PATH#/run/spy:} exec "\${0##*/}" "$@"
`,
    );
    const spied = (verb: string, text: string) =>
      done(machine.run(`PATH=/run/spy:$PATH kthw-node ${verb}`, describeBundle(pair(text))));
    await spied("apply", "NOT-TO-BE-SEEN-1");
    for (const verb of ["apply", "check", "remove"]) await spied(verb, "NOT-TO-BE-SEEN-2");
    assert.equal(await machine.output("grep -c spy/chmod /run/spied"), "4");
    assert.equal((await machine.run("grep NOT-TO-BE-SEEN /run/spied")).stdout, "");
    assert.equal(
      await machine.output("grep -rl NOT-TO-BE-SEEN /var/lib /etc /run /tmp || true"),
      "",
    );
  });
});
