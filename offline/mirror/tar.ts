/** One entry of a tar archive: a folder if its path ends in "/", a link if it has a target. */
export interface TarEntry {
  readonly path: string;
  /** Permission bits. @default 0o755, and 0o777 for a link */
  readonly mode?: number;
  readonly content?: Buffer;
  readonly target?: string;
  /** Extended attributes, such as security.capability. */
  readonly attributes?: Readonly<Record<string, Buffer>>;
}

/** A tar archive that depends on its entries alone: owned by root, of 1970, in the order given. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ path, content, target, attributes, ...entry }) => {
    const mode = entry.mode ?? (target === undefined ? 0o755 : 0o777);
    const type = path.endsWith("/") ? "5" : target === undefined ? "0" : "2";
    const body = content ?? Buffer.alloc(0);
    const own = [header(path, mode, body.length, type, target), ...padded(body)];
    if (attributes === undefined) return own;
    const records = Buffer.concat(
      Object.entries(attributes).map(([key, value]) => record(`SCHILY.xattr.${key}`, value)),
    );
    return [header("attributes", 0o644, records.length, "x"), ...padded(records), ...own];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function header(path: string, mode: number, size: number, type: string, target = ""): Buffer {
  if (path.length > 99)
    throw new Error(`${path}: longer than 99 characters, which tar cannot hold`);
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(path, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write("        ", 148);
  block.write(type, 156);
  block.write(target, 157);
  block.write("ustar\u000000", 257, "latin1");
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}

function padded(body: Buffer): Buffer[] {
  return [body, Buffer.alloc((512 - (body.length % 512)) % 512)];
}

/** A pax record, whose length counts its own digits too. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length;
  while (length !== rest.length + String(length).length)
    length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
