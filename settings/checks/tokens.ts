import { mistakeAt } from "../mistake.ts";
import { conflicts, type Subject } from "./subject.ts";

/** Each join token has a name of its own in the settings, and an id of its own (the part before the dot) in the cluster. */
export function joinTokens({ draft: { joinTokens } }: Subject): string[] {
  const settings = (joinTokens ?? []).map((token, index) => ({
    where: `joinTokens[${index}]`,
    token,
  }));
  const names = settings.flatMap(({ where, token }) =>
    token?.name === undefined ? [] : [{ where: `${where}.name`, value: token.name }],
  );
  const ids = settings.flatMap(({ where, token }) =>
    token?.token === undefined ? [] : [{ where: `${where}.token`, value: token.token.slice(0, 6) }],
  );
  return [
    ...conflicts(names).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same as ${earlier.where}`, value, "give each token a name of its own"),
    ),
    ...conflicts(ids).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same before the dot as ${earlier.where}`, value, "choose another"),
    ),
  ];
}
