import assert from "node:assert/strict";
import { warnings } from "../../settings/warnings.ts";
import { changed, context, itRefuses, mistakes, settings } from "../support/settings.ts";

const address =
  "not the http(s) address of a proxy, got %; write it like http://proxy.example.com:3128, special characters of a password as %40 and so on";
const wrong = (value: string) => address.replace("%", value);

describe("a proxy", () => {
  itRefuses([
    [{ "proxy.http": "proxy.example.com:3128" }, `proxy.http: ${wrong("proxy.example.com:3128")}`],
    [{ "proxy.https": "proxy" }, `proxy.https: ${wrong("proxy")}`],
    [{ "proxy.http": 3128 }, `proxy.http: ${wrong("3128")}`],
    [
      { "proxy.http": "http://proxy.example.com/path" },
      `proxy.http: ${wrong("http://proxy.example.com/path")}`,
    ],
    [
      { "proxy.https": "socks5://proxy.example.com" },
      `proxy.https: ${wrong("socks5://proxy.example.com")}`,
    ],
    [
      { "proxy.https": "http://user:p$word@proxy.example.com" },
      `proxy.https: ${wrong("http://[secret]@proxy.example.com")}`,
    ],
    [
      { "proxy.http": "http://proxy.example.com", "proxy.noProxy": ["http://mirror.example.com"] },
      "proxy.noProxy[0]: not a host, a domain or a network, got http://mirror.example.com; write it like host.example.com, .example.com or 192.0.2.0/24",
    ],
    [
      { "proxy.noProxy": [".example.com"] },
      'proxy.noProxy: without a proxy, got [".example.com"]; name a proxy by http or https, or leave noProxy out',
    ],
    [
      { proxi: { http: "http://user:word@proxy.example.com" } },
      'proxi: unknown setting, got {"http":"http://[secret]@proxy.example.com"}; did you mean proxy?',
    ],
  ]);

  it("may have a password, also one of special characters", () =>
    assert.deepEqual(
      mistakes(changed({ "proxy.https": "https://user:pass%40word@proxy.example.com:3128/" })),
      [],
    ));

  it("with a password in plain text is warned of", () => {
    const of = (place: string, url: string, isSecret: boolean) =>
      warnings(settings(changed({ [place]: url })), { ...context, isSecret: () => isSecret });
    for (const place of ["proxy.http", "proxy.https"]) {
      assert.deepEqual(of(place, "http://user:word@proxy.example.com", false), [
        `${place}: a password in plain text in the settings; encrypt it by pulumi config set --secret --path 'kthw:${place}'`,
      ]);
      assert.deepEqual(of(place, "http://user:word@proxy.example.com", true), []);
      assert.deepEqual(of(place, "http://proxy.example.com", false), []);
    }
  });
});
