import assert from "node:assert/strict";
import { warnings } from "../../settings/warnings.ts";
import { authority } from "../support/authority.ts";
import { changed, context, itRefuses, mistakes, settings } from "../support/settings.ts";

const host = "registry.example.com";
const registries = (...all: unknown[]) => ({ registries: all });
const begins = "write what the names of its images begin with, like registry.example.com:5000";

describe("a registry", () => {
  itRefuses([
    [
      registries({ username: "robot", password: "word" }),
      `registries[0].host: not the host of a registry, got nothing; ${begins}`,
    ],
    [
      registries({ host: "https://registry.example.com" }),
      `registries[0].host: not the host of a registry, got https://registry.example.com; ${begins}`,
    ],
    [
      registries({ host: "registry.example.com:70000" }),
      `registries[0].host: not the host of a registry, got registry.example.com:70000; ${begins}`,
    ],
    [
      registries({ host: "registry.example.com/team" }),
      `registries[0].host: not the host of a registry, got registry.example.com/team; ${begins}`,
    ],
    [
      registries({ host }, { host }),
      "registries[1].host: the same as registries[0].host, got registry.example.com; list each once",
    ],
    [
      registries({ host, username: "robot" }),
      "registries[0].password: missing beside the user name, got nothing; write both or neither",
    ],
    [
      registries({ host, mirrors: [{ url: "https://mirror.example.com", password: "word" }] }),
      "registries[0].mirrors[0].username: missing beside the password, got nothing; write both or neither",
    ],
    [
      registries({ host, username: "robot:x", password: "word" }),
      "registries[0].username: not a user name, got robot:x; write a text without a colon",
    ],
    [
      registries({ host, username: "robot", password: "" }),
      "registries[0].password: not a password, got [secret]; write a text, encrypted by pulumi config set --secret",
    ],
    [
      registries({ host, username: "robot", pasword: "word" }),
      "registries[0].pasword: unknown setting, got [secret]; did you mean password?",
    ],
    [
      registries({ host, mirrors: [{ url: "mirror.example.com" }] }),
      "registries[0].mirrors[0].url: not an http(s) address without a password, got mirror.example.com; write it like https://mirror.example.com, or with the path of its API",
    ],
    [
      registries({ host, mirrors: [{ url: "https://robot:word@mirror.example.com" }] }),
      "registries[0].mirrors[0].url: not an http(s) address without a password, got https://[secret]@mirror.example.com; write it like https://mirror.example.com, or with the path of its API",
    ],
    [
      registries({
        host,
        mirrors: [{ url: "https://mirror.example.com" }, { url: "https://mirror.example.com" }],
      }),
      "registries[0].mirrors[1].url: the same as registries[0].mirrors[0].url, got https://mirror.example.com; list each once",
    ],
    [
      registries({ host, authority: "company" }),
      "registries[0].authority: neither PEM nor the path of a file, got company; write a path like /etc/ssl/company-ca.pem",
    ],
    [
      registries({ host, authority: "/nonexistent/ca.pem" }),
      "registries[0].authority: not readable (no such file), got /nonexistent/ca.pem; name a file of PEM that this computer can read",
    ],
    [
      registries({
        host,
        mirrors: [{ url: "https://mirror.example.com", authority: "./README.md" }],
      }),
      "registries[0].mirrors[0].authority: no certificates in PEM, got ./README.md; give those of the authority",
    ],
    [
      { registrys: [{ host, username: "robot", password: 'a"b' }] },
      'registrys: unknown setting, got [{"host":"registry.example.com","username":"robot","password":"[secret]"}]; did you mean registries?',
    ],
  ]);

  it("is a name or an address, with a port or not", () =>
    assert.deepEqual(
      mistakes(
        changed(
          registries(
            ...["docker.io", "localhost:5000", "10.240.0.5:5000"].map((host) => ({ host })),
          ),
        ),
      ),
      [],
    ));

  it("has the certificates of the authority that it names, and nothing else of the file", () => {
    const one = authority("company");
    const { registries: found } = settings(changed(registries({ host, authority: "/ca.pem" })), {
      read: () => `Company's own:\n${one.certificate}${one.key}`,
    });
    assert.equal(found[0]!.authority, one.certificate);
  });

  it("with a password in plain text is warned of", () => {
    const raw = changed(
      registries(
        { host, username: "robot", password: "word" },
        {
          host: "docker.io",
          mirrors: [{ url: "https://mirror.example.com", username: "robot", password: "word" }],
        },
      ),
    );
    const place = ["registries[0].password", "registries[1].mirrors[0].password"];
    assert.deepEqual(
      warnings(settings(raw), { ...context, isSecret: (setting) => setting === "proxy" }),
      place.map(
        (where) =>
          `${where}: a password in plain text in the settings; encrypt it by pulumi config set --secret --path 'kthw:${where}'`,
      ),
    );
    assert.deepEqual(warnings(settings(raw), context), []);
  });
});
