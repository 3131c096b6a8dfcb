import { z } from "zod";
import type { Registry } from "../services/registries.ts";
import { certificatesIn, isPem, pemOf } from "./authority.ts";
import { isPath, type ReadFile } from "./files.ts";
import { mistakeAt } from "./mistake.ts";
import { group, hiding, list, text } from "./values.ts";

const password = {
  error: hiding("not a password", "write a text, encrypted by pulumi config set --secret"),
};
const server = {
  username: text(
    (text) => /^[^:\p{Cc}]+$/u.test(text),
    "not a user name",
    "write a text without a colon",
  ).optional(),
  password: z.string(password).min(1, password).optional(),
  authority: text(
    (text) => isPem(text) || isPath(text),
    "neither PEM nor the path of a file",
    "write a path like /etc/ssl/company-ca.pem",
  ).optional(),
};

/** The settings of registries; docs/settings.md describes them. */
export const registryList = list(
  group(
    {
      host: text(
        isRegistryHost,
        "not the host of a registry",
        "write what the names of its images begin with, like registry.example.com:5000",
      ),
      ...server,
      mirrors: list(
        group(
          {
            url: text(
              isMirror,
              "not an http(s) address without a password",
              "write it like https://mirror.example.com, or with the path of its API",
            ),
            ...server,
          },
          hiding,
        ),
        hiding,
      ).default([]),
    },
    hiding,
  ),
  hiding,
).default([]);

/** A registry as it is written: each authority is PEM or the path of a file. */
type Written = z.output<typeof registryList>[number];

/** A registry with the authorities that its settings name. */
export function readRegistry({ mirrors, ...own }: Written, read: ReadFile): Registry {
  const known = <T extends { readonly authority?: string | undefined }>(server: T) => {
    if (server.authority === undefined) return server;
    const found = pemOf(server.authority, read);
    const all = "text" in found ? certificatesIn(found.text) : undefined;
    return { ...server, authority: (all ?? []).map((one) => one.toString()).join("") };
  };
  return { ...known(own), mirrors: mirrors.map(known) };
}

/** What is wrong with the authority of a registry or a mirror. */
export function mistakesInAuthority(where: string, written: string, read: ReadFile): string[] {
  const shown = isPem(written) ? "a text" : written;
  const found = pemOf(written, read);
  if ("reason" in found) {
    const todo = "name a file of PEM that this computer can read";
    return [mistakeAt(where, `not readable (${found.reason})`, shown, todo)];
  }
  if (certificatesIn(found.text)) return [];
  return [mistakeAt(where, "no certificates in PEM", shown, "give those of the authority")];
}

/** https://github.com/distribution/reference/blob/main/reference.go */
function isRegistryHost(text: string): boolean {
  const parts = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::([1-9]\d*))?$/i.exec(text);
  return parts !== null && Number(parts[1] ?? 443) <= 65_535;
}

function isMirror(text: string): boolean {
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(text) || /["\\?#]/.test(text)) return false;
  if (!URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === "" && password === "";
}
