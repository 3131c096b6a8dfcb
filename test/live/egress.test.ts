import assert from "node:assert/strict";
import { randomUUID, sign, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { type Artifact, artifacts, images, versionsOf } from "../../components/versions.ts";
import { type Download, describeDownloads, proxyFile } from "../../node/downloads.ts";
import { containerd } from "../../services/containerd.ts";
import { proxyVariables } from "../../services/proxy.ts";
import { type Registry, registryFiles } from "../../services/registries.ts";
import { placed } from "../../services/service.ts";
import { cacheFolder } from "../../settings/caches.ts";
import { traitsOfThisComputer } from "../../stacks/local/traits.ts";
import { unpackedPackage } from "../support/debian-package.ts";
import { cluster, worker } from "../support/facts.ts";
import {
  apply,
  applyAndWait,
  describeOnMachine,
  done,
  fails,
  file,
  invocation,
  machine,
  service,
} from "./support/node-tests.ts";
import { step } from "./support/run.ts";

describeOnMachine("a machine in a company's network", () => {
  const version = "1.36.4";
  const architecture = process.arch === "x64" ? "amd64" : "arm64";
  const { folders } = versionsOf(version);
  const archives = artifacts(version, architecture);
  const { pause } = images(version, architecture);
  const mirror = join(cacheFolder(), "mirror");

  const proxy = "http://machine:passWord1@127.0.0.1:3128";
  const ctr = `${folders.containerd}/ctr --namespace k8s.io`;
  /** What the proxy has been asked for. */
  const asked = async (words: string) =>
    Number(await machine.output(`grep --count --fixed-strings '${words}' /run/proxy.log || true`));

  /** One registry asks for the password itself, the other one has its clients fetch a token with it. */
  const registries = (password: string, authority: string): Registry[] => {
    const robot = { username: "robot", password, authority };
    return [
      { host: "registry.example.com:5000", ...robot, mirrors: [] },
      { host: "tokens.example.com:5001", ...robot, mirrors: [] },
      {
        host: "elsewhere.example.com",
        mirrors: [{ url: "https://registry.example.com:5000/v2/copies", ...robot }],
      },
    ];
  };
  let authority: string;
  const bundle = (password: string) => ({
    name: "containerd",
    files: registries(password, authority)
      .flatMap(registryFiles)
      .map((one) => ({ ...one, mode: "0600" })),
  });
  const accepts = (password: string) =>
    machine.output(
      `perl -e 'print "robot:", crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu)), "\\n"' ${password} >/srv/htpasswd`,
    );
  const pull = (image: string) =>
    machine.run(`${folders.crictl}/crictl rmi ${image} >/dev/null 2>&1
      ${folders.crictl}/crictl pull ${image} >/dev/null`);

  const pulled = async (running: ReturnType<typeof pull>) => {
    const { code, stderr } = await running;
    assert.equal(code, 0, stderr);
  };

  before("a proxy, a server of files and two registries", async function () {
    this.timeout(120_000);
    const [withProxy, withRegistry] = await Promise.all(
      ["tinyproxy-bin", "docker-registry"].map(unpackedPackage),
    );
    if (withProxy === undefined || withRegistry === undefined) this.skip();
    await machine.take(join(withProxy, "usr/bin/tinyproxy"), "/usr/local/bin/tinyproxy");
    await machine.take(join(withRegistry, "usr/bin/docker-registry"), "/usr/local/bin/registry");
    for (const one of [archives.containerd, archives.crictl, pause])
      await machine.take(join(mirror, one.file), `/srv/files/${one.file}`);
    await machine.output(`cd /srv
      names=DNS:registry.example.com,DNS:tokens.example.com
      openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=company -days 2
      openssl req -newkey rsa:2048 -nodes -keyout server.key -subj /CN=server |
        openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile <(echo subjectAltName=$names)
      # Nobody but the proxy knows these names.
      echo 127.0.0.1 files.example.com registry.example.com tokens.example.com >hosts
      mkdir -p package/DEBIAN
      printf 'Package: from-company\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' >package/DEBIAN/control
      dpkg-deb --build package files/from-company.deb
      { cat package/DEBIAN/control; echo Filename: ./from-company.deb; echo Size: $(stat -c %s files/from-company.deb)
        echo SHA256: $(sha256sum files/from-company.deb | cut -d' ' -f1); } >files/Packages
      chmod -R a+rX files
      rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] http://files.example.com:7080/ ./' >/etc/apt/sources.list`);
    authority = `${await machine.output("cat /srv/ca.crt")}\n`;
    await accepts("first");
    const token = tokenFor("pause", await machine.output("cat /srv/ca.key"));
    const basic = Buffer.from("robot:second").toString("base64");
    const nginx = `daemon off;
pid /run/files.pid;
events {}
http {
  server { listen 127.0.0.1:7080; root /srv/files; }
  server {
    listen 127.0.0.1:5002 ssl;
    ssl_certificate /srv/server.crt;
    ssl_certificate_key /srv/server.key;
    location /token {
      default_type application/json;
      if ($http_authorization != "Basic ${basic}") { return 401; }
      return 200 '{"token": "${token}"}';
    }
  }
}
`;
    const tinyproxy = `Port 3128
Listen 127.0.0.1
BasicAuth machine passWord1
LogFile "/run/proxy.log"
LogLevel Connect
`;
    const registry = (port: number, auth: string) => `version: 0.1
storage: {filesystem: {rootdirectory: /srv/images}}
auth: ${auth}
http: {addr: '127.0.0.1:${port}', tls: {certificate: /srv/server.crt, key: /srv/server.key}}
`;
    const byPassword = "{htpasswd: {realm: company, path: /srv/htpasswd}}";
    const byToken =
      "{token: {realm: 'https://tokens.example.com:5002/token', service: company, issuer: company, rootcertbundle: /srv/ca.crt}}";
    const servers: [name: string, command: string, text: string][] = [
      ["proxy", "/usr/local/bin/tinyproxy -d -c", tinyproxy],
      ["files", "/usr/sbin/nginx -c", nginx],
      ["registry", "/usr/local/bin/registry serve", registry(5000, byPassword)],
      ["tokens", "/usr/local/bin/registry serve", registry(5001, byToken)],
    ];
    await Promise.all(
      servers.map(([name, command, text]) => {
        const path = `/etc/${name}.conf`;
        const Service = {
          ExecStart: `${command} ${path}`,
          ...(name === "proxy" && { BindReadOnlyPaths: "/srv/hosts:/etc/hosts" }),
        };
        return applyAndWait(service(name, [file(path, { text })], { Service }));
      }),
    );
  });

  it("fetches binaries and packages through the proxy", async () => {
    const sum = async ({ file }: { readonly file: string }) =>
      `sha256:${(await machine.output(`sha256sum /srv/files/${file}`)).split(" ")[0]}`;
    const download = async ({ name, version, file, members }: Artifact): Promise<Download> => ({
      kind: "binaries",
      name,
      version,
      url: `http://files.example.com:7080/${file}`,
      sum: await sum({ file }),
      members: members!,
    });
    const list = describeDownloads([
      await download(archives.containerd),
      await download(archives.crictl),
    ]);
    await machine.output("! getent hosts files.example.com");
    const text = proxyVariables(
      cluster(),
      { http: proxy, https: proxy, noProxy: [] },
      randomUUID(),
    );
    await apply({ name: "proxy", files: [{ path: proxyFile, text, mode: "0600" }] });
    await done(machine.run("kthw-node fetch", list));
    assert.equal(await asked(`GET http://files.example.com:7080/${archives.crictl.file}`), 1);
    await applyAndWait(service("packaged", [], { packages: ["from-company"] }));
    assert.equal(await asked("GET http://files.example.com:7080/./from-company.deb"), 1);
  });

  it("pulls images through it, by password and by token, from a registry and from a mirror, by the company's authority", async () => {
    const paths = bundle("").files.map(({ path }) => path);
    const facts = cluster({ isProxied: true, registryFiles: paths });
    const traits = traitsOfThisComputer();
    await apply(bundle("first"));
    await step("containerd starts", () =>
      applyAndWait(placed(containerd(facts, worker({ traits })))),
    );
    await machine.output(`
      https_proxy=${proxy} ; export https_proxy
      ${ctr} images import --local --no-unpack /srv/files/${pause.file}
      for repository in pause copies/pause; do
        ${ctr} images tag ${pause.name} registry.example.com:5000/$repository:1
        ${ctr} images push --local --tlscacert /srv/ca.crt --user robot:first registry.example.com:5000/$repository:1
        ${ctr} images rm --sync registry.example.com:5000/$repository:1
      done
      ${ctr} images rm --sync ${pause.name}`);
    const before = await asked("CONNECT registry.example.com:5000");
    await pulled(pull("registry.example.com:5000/pause:1"));
    await pulled(pull("elsewhere.example.com/pause:1"));
    assert.ok((await asked("CONNECT registry.example.com:5000")) > before);
    assert.equal(await asked("elsewhere"), 0);
    const modes = await machine.output(
      `stat --dereference --format=%a ${paths.join(" ")} ${proxyFile} | sort -u`,
    );
    assert.equal(modes, "600");
  });

  it("has containerd use another password without a restart", async () => {
    const started = await invocation("containerd");
    await accepts("second");
    await fails(pull("registry.example.com:5000/pause:1"), /401|no basic auth/);
    await fails(pull("tokens.example.com:5001/pause:1"), /401/);
    await apply(bundle("second"));
    await pulled(pull("registry.example.com:5000/pause:1"));
    await pulled(pull("elsewhere.example.com/pause:1"));
    await pulled(pull("tokens.example.com:5001/pause:1"));
    assert.ok((await asked("CONNECT tokens.example.com:5002")) > 0);
    assert.equal(await invocation("containerd"), started);
  });

  it("reaches nothing where the proxy does not answer", async () => {
    await machine.output("systemctl stop proxy");
    await fails(
      pull("registry.example.com:5000/pause:1"),
      /proxyconnect tcp: dial tcp 127.0.0.1:3128/,
    );
  });

  /** https://distribution.github.io/distribution/spec/auth/jwt/ */
  function tokenFor(name: string, key: string): string {
    const now = Math.floor(Date.now() / 1000);
    const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const certificate = new X509Certificate(authority).raw.toString("base64");
    const access = [{ type: "repository", name, actions: ["pull"] }];
    const claims = { iss: "company", aud: "company", sub: "robot", access, jti: "1" };
    const times = { iat: now - 60, nbf: now - 60, exp: now + 3600 };
    const signed = `${encoded({ typ: "JWT", alg: "RS256", x5c: [certificate] })}.${encoded({ ...claims, ...times })}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
  }
});
