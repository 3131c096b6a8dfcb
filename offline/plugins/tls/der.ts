/** The little of ASN.1's distinguished encoding that certificates need. */

/** A value as it is encoded, read. */
export interface Node {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly whole: Buffer;
}

function length(size: number): Buffer {
  if (size < 0x80) return Buffer.from([size]);
  const digits = Buffer.from(size.toString(16).padStart(size > 0xffffff ? 8 : 6, "0"), "hex");
  const significant = digits.subarray(digits.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([0x80 | significant.length]), significant]);
}

/** A value of any tag from its parts. */
export function encode(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

export const sequence = (...parts: Uint8Array[]): Buffer => encode(0x30, ...parts);
export const set = (...parts: Uint8Array[]): Buffer => encode(0x31, ...parts);
export const octets = (value: Uint8Array): Buffer => encode(0x04, value);
export const bits = (value: Uint8Array, unused = 0): Buffer =>
  encode(0x03, Buffer.from([unused]), value);
export const yes = encode(0x01, Buffer.from([0xff]));
export const nothing = encode(0x05);

/** A tag of the surrounding type's own; constructed ones hold whole values. */
export const tagged = (number: number, constructed: boolean, ...parts: Uint8Array[]): Buffer =>
  encode((constructed ? 0xa0 : 0x80) | number, ...parts);

/** A number that is not negative, given by its bytes. */
export function integer(value: Uint8Array): Buffer {
  const first = value.findIndex((byte) => byte !== 0);
  const digits = first === -1 ? Buffer.alloc(1) : value.subarray(first);
  return encode(0x02, Buffer.alloc((digits[0]! & 0x80) >> 7), digits);
}

/** An object identifier in dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return encode(0x06, Buffer.from(bytes));
}

/** Text in the narrower of the two usual string types. */
export const string = (value: string): Buffer =>
  encode(/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? 0x13 : 0x0c, Buffer.from(value));

/** Text in ASCII, as e-mail addresses are written. */
export const ascii = (value: string): Buffer => encode(0x16, Buffer.from(value));

/** A moment, to the second. */
export function time(date: Date): Buffer {
  const whole = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050
    ? encode(0x17, Buffer.from(whole.slice(2)))
    : encode(0x18, Buffer.from(whole));
}

/** The values that stand one after another in an encoding. */
export function read(bytes: Buffer): Node[] {
  const nodes: Node[] = [];
  for (let at = 0; at < bytes.length; ) {
    let size = bytes[at + 1] ?? 0;
    let start = at + 2;
    if (size & 0x80) {
      const digits = size & 0x7f;
      size = digits > 0 && digits <= 4 ? bytes.readUIntBE(start, digits) : Number.NaN;
      start += digits;
    }
    const end = start + size;
    if (!(end <= bytes.length)) throw new Error("malformed or cut off encoding");
    nodes.push({
      tag: bytes[at]!,
      content: bytes.subarray(start, end),
      whole: bytes.subarray(at, end),
    });
    at = end;
  }
  return nodes;
}
