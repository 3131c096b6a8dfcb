import { mistakeAt } from "../mistake.ts";
import { mistakesInAuthority } from "../registries.ts";
import { conflicts, type Setting, type Subject } from "./subject.ts";

/** Each registry and each of its mirrors is listed once, with both a user name and a password or neither, and with authorities that can be read. */
export function registries({ draft: { registries = [] }, context }: Subject): string[] {
  const all = registries.map((registry, index) => ({ where: `registries[${index}]`, registry }));
  const mirrors = all.map(({ where, registry }) =>
    (registry?.mirrors ?? []).map((mirror, index) => ({
      where: `${where}.mirrors[${index}]`,
      mirror,
    })),
  );
  const servers = [
    ...all.map(({ where, registry }) => ({ where, server: registry })),
    ...mirrors.flat().map(({ where, mirror }) => ({ where, server: mirror })),
  ];
  return [
    ...twice(all.map(({ where, registry }) => ({ where: `${where}.host`, value: registry?.host }))),
    ...mirrors.flatMap((some) =>
      twice(some.map(({ where, mirror }) => ({ where: `${where}.url`, value: mirror?.url }))),
    ),
    ...servers.flatMap(({ where, server: { username, password, authority } = {} }) => [
      ...((username === undefined) === (password === undefined)
        ? []
        : [
            mistakeAt(
              `${where}.${username === undefined ? "username" : "password"}`,
              `missing beside the ${username === undefined ? "password" : "user name"}`,
              undefined,
              "write both or neither",
            ),
          ]),
      ...(authority === undefined
        ? []
        : mistakesInAuthority(`${where}.authority`, authority, context.read)),
    ]),
  ];
}

function twice(settings: readonly Setting<string | undefined>[]): string[] {
  const known = settings.flatMap(({ where, value }) =>
    value === undefined ? [] : [{ where, value }],
  );
  return conflicts(known).map(({ where, value, earlier }) =>
    mistakeAt(where, `the same as ${earlier.where}`, value, "list each once"),
  );
}
