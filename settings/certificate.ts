/** What node:crypto does not tell of an authority's certificate. */
export interface AuthorityFields {
  /** How many authorities may stand below it; undefined for any number. */
  readonly pathLength: number | undefined;
  readonly signsCertificates: boolean;
}

/** An element of DER: https://www.itu.int/rec/T-REC-X.690 */
interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

const tags = { integer: 0x02, extensions: 0xa3 };
const basicConstraints = "551d13";
const keyUsage = "551d0f";
const keyCertSign = 0x04;

/** Reads them from a certificate in DER (RFC 5280, 4.2.1.3 and 4.2.1.9). */
export function authorityFields(certificate: Buffer): AuthorityFields {
  const [body] = elements(elements(certificate)[0]!.content);
  const holder = elements(body!.content).find(({ tag }) => tag === tags.extensions);
  const extensions = new Map(
    (holder ? elements(elements(holder.content)[0]!.content) : []).map(({ content }) => {
      const parts = elements(content);
      return [parts[0]!.content.toString("hex"), parts.at(-1)!.content];
    }),
  );
  const constraints = extensions.get(basicConstraints);
  const length = constraints
    ? elements(elements(constraints)[0]!.content).find(({ tag }) => tag === tags.integer)
    : undefined;
  const usage = extensions.get(keyUsage);
  // The first byte of a bit string counts the bits that do not matter.
  const bits = usage ? elements(usage)[0]!.content[1] : undefined;
  return {
    pathLength: length && Number(`0x${length.content.toString("hex")}`),
    signsCertificates: bits === undefined || (bits & keyCertSign) !== 0,
  };
}

function elements(bytes: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at]!;
    let length = bytes[at + 1]!;
    let start = at + 2;
    if (length >= 0x80) {
      const size = length - 0x80;
      length = bytes.readUIntBE(start, size);
      start += size;
    }
    found.push({ tag, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}
