/** Descriptions of things for libvirt, in XML. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { withFolder } from "./virsh.ts";

/** An attribute or a text that is left out is left out of the description. */
type Content = string | number | undefined;

const escaped = (value: Content): string =>
  String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** An element with attributes and children, which are elements already. */
export function element(
  name: string,
  attributes: Readonly<Record<string, Content>> = {},
  ...children: readonly (string | undefined)[]
): string {
  const start = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escaped(value)}"`);
  const inner = children.filter((child) => child !== undefined).join("");
  return inner === ""
    ? `<${name}${start.join("")}/>`
    : `<${name}${start.join("")}>${inner}</${name}>`;
}

/** An element around a text, or nothing without a text. */
export const textElement = (
  name: string,
  value: Content,
  attributes: Readonly<Record<string, Content>> = {},
): string | undefined =>
  value === undefined ? undefined : element(name, attributes, escaped(value));

/** A description after the program's stylesheet, or as it was without one. */
export async function transformed(description: string, xslt: string | undefined): Promise<string> {
  if (xslt === undefined) return description;
  return withFolder((folder) => {
    const [style, file] = [join(folder, "style.xsl"), join(folder, "description.xml")];
    writeFileSync(style, xslt);
    writeFileSync(file, description);
    return execFileSync("xsltproc", ["--nonet", style, file], { encoding: "utf8" });
  });
}
