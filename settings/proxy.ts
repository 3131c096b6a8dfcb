import { group, list, text } from "./values.ts";

/** What a shell and systemd read as it stands between double quotes. */
const plain = /^[!#%&(-[\]-_a-~]+$/;

const url = text(
  isProxy,
  "not the http(s) address of a proxy",
  "write it like http://proxy.example.com:3128, special characters of a password as %40 and so on",
);

/** The settings of a proxy; docs/settings.md describes them. */
export const proxyGroup = group({
  http: url.optional(),
  https: url.optional(),
  noProxy: list(
    text(
      (text) => plain.test(text) && !/,|:\/\//.test(text),
      "not a host, a domain or a network",
      "write it like host.example.com, .example.com or 192.0.2.0/24",
    ),
  ).default([]),
}).prefault({});

function isProxy(text: string): boolean {
  if (!plain.test(text) || !/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { pathname, search, hash } = new URL(text);
  return pathname === "/" && search === "" && hash === "";
}
