import { object, text } from "../protocol/shape.ts";
import { isObject, type Properties } from "../protocol/values.ts";

/** The rule of the input `xml`. */
export const xml = object({ xslt: text });

/** The stylesheet that a program gives with a resource. */
export const xsltOf = ({ xml }: Properties): string | undefined =>
  isObject(xml) ? (xml.xslt as string | undefined) : undefined;
