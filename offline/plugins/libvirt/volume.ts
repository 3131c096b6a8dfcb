import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { Resource, State } from "../protocol/provider.ts";
import { type Failures, oneOf, required, text, textThat, whole } from "../protocol/shape.ts";
import { type Properties, unknown } from "../protocol/values.ts";
import { isMissing, unlessMissing, virsh } from "./virsh.ts";
import { element, textElement, transformed } from "./xml.ts";
import { xml, xsltOf } from "./xslt.ts";

/** The pool of a resource. */
export const poolOf = ({ pool = "default" }: Properties): string => String(pool);

/** The format of a volume that libvirt knows by its path. */
export async function formatOf(id: string): Promise<string> {
  const description = await virsh().call("vol-dumpxml", "--vol", id);
  return /<target>[\s\S]*?<format type='(\w+)'/.exec(description)?.[1] ?? "raw";
}

/** Makes an empty volume and returns its path, which is its id. */
export async function makeVolume(
  pool: string,
  name: string,
  {
    capacity,
    format,
    backing,
    xslt,
  }: Readonly<Record<"capacity" | "format", string | number>> & {
    readonly backing?: { readonly path: string; readonly format: string };
    readonly xslt?: string | undefined;
  },
): Promise<string> {
  const description = element(
    "volume",
    {},
    textElement("name", name),
    textElement("capacity", capacity, { unit: "bytes" }),
    element(
      "target",
      {},
      element("format", { type: format }),
      element("permissions", {}, textElement("mode", "0644")),
    ),
    backing &&
      element(
        "backingStore",
        {},
        textElement("path", backing.path),
        element("format", { type: backing.format }),
      ),
  );
  await virsh().describe(["vol-create", pool], await transformed(description, xslt));
  return virsh().call("vol-key", name, "--pool", pool);
}

/** Whether a volume is still there. Without its pool libvirt knows no volume, so that the pool must run. */
export async function volumeIsThere(path: string, pool: string): Promise<boolean> {
  try {
    await virsh().call("pool-refresh", pool);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  return (await unlessMissing(virsh().call("vol-key", "--vol", path))) !== undefined;
}

/** Removes a volume, whether or not another one stands on it. */
export async function removeVolume(path: string): Promise<void> {
  await unlessMissing(virsh().call("vol-delete", "--vol", path));
}

const sizeOf = async (path: string): Promise<number> => {
  const { Capacity = "" } = await virsh().table("vol-info", "--bytes", "--vol", path);
  return Number.parseInt(Capacity, 10);
};

/** The format that the first bytes of an image tell. */
function formatOfFile(file: string): string {
  const start = Buffer.alloc(4);
  const handle = openSync(file, "r");
  readSync(handle, start, 0, 4, 0);
  closeSync(handle);
  return start.toString("latin1") === "QFI\xfb" ? "qcow2" : "raw";
}

function refuse({ source, size, baseVolumeId, baseVolumeName, baseVolumePool }: Properties) {
  const failures: Failures = {};
  if (source !== undefined && size !== undefined)
    failures.size =
      "'size' can't be specified when also 'source' is given (the size will be set to the size of the source image)";
  if (source !== undefined && (baseVolumeId ?? baseVolumeName) !== undefined)
    failures.source = "'source' can't be specified when also a base volume is given";
  if (baseVolumeId !== undefined && (baseVolumeName ?? baseVolumePool) !== undefined)
    failures.baseVolumeId =
      "'baseVolumeId' can't be specified when also 'baseVolumeName' or 'baseVolumePool' is given";
  if (baseVolumePool !== undefined && baseVolumeName === undefined)
    failures.baseVolumePool = "'baseVolumePool' needs 'baseVolumeName'";
  if (source === undefined && size === undefined && (baseVolumeId ?? baseVolumeName) === undefined)
    failures.size = "'size' needs to be specified if no 'source' or base volume is given";
  return failures;
}

async function backingOf(inputs: Properties) {
  const { baseVolumeId, baseVolumeName, baseVolumePool } = inputs;
  if ((baseVolumeId ?? baseVolumeName) === undefined) return undefined;
  const path =
    baseVolumeId === undefined
      ? await virsh().call(
          "vol-key",
          String(baseVolumeName),
          "--pool",
          String(baseVolumePool ?? poolOf(inputs)),
        )
      : String(baseVolumeId);
  return { path, format: await formatOf(path) };
}

async function fill(
  name: string,
  pool: string,
  source: string,
  given: Properties,
): Promise<string> {
  const found = formatOfFile(source);
  const { format = found } = given;
  if (found === "qcow2" && format !== found)
    throw new Error(
      `format other than QCOW2 explicitly specified for image detected as QCOW2 image: ${source}`,
    );
  // The real plugin takes over a volume of this name, too.
  const id =
    (await unlessMissing(virsh().call("vol-key", name, "--pool", pool))) ??
    (await makeVolume(pool, name, {
      capacity: statSync(source).size,
      format: String(format),
      xslt: xsltOf(given),
    }));
  await virsh().call("vol-upload", name, source, "--pool", pool);
  await virsh().call("pool-refresh", pool);
  return id;
}

const outputs = async (id: string): Promise<Properties> => ({
  size: await sizeOf(id),
  format: await formatOf(id),
});

/** A disk: empty, from a file of this computer, or over another volume. */
export const volume: Resource = {
  inputs: {
    name: required(text),
    pool: text,
    source: textThat((source) => !/^\w+:/.test(source), "the path of a file"),
    size: whole(1),
    format: oneOf(["qcow2", "raw"]),
    baseVolumeId: text,
    baseVolumeName: text,
    baseVolumePool: text,
    xml,
  },
  refuse,
  replaces: () => true,
  deleteBeforeReplace: (state, inputs) => state.properties.name === inputs.name,
  plan: ({ size = unknown, format = unknown }) => ({ size, format }),
  create: async (inputs) => {
    const [name, pool] = [String(inputs.name), poolOf(inputs)];
    if (inputs.source !== undefined) {
      const id = await fill(name, pool, String(inputs.source), inputs);
      return { id, outputs: await outputs(id) };
    }
    const there = await unlessMissing(virsh().call("vol-key", name, "--pool", pool));
    if (there !== undefined) return { id: there, outputs: await outputs(there) };
    const backing = await backingOf(inputs);
    const id = await makeVolume(pool, name, {
      capacity: Number(inputs.size ?? (backing && (await sizeOf(backing.path)))),
      format: String(inputs.format ?? "qcow2"),
      xslt: xsltOf(inputs),
      ...(backing && { backing }),
    });
    return { id, outputs: await outputs(id) };
  },
  read: async ({ id, inputs }: State) =>
    (await volumeIsThere(id, poolOf(inputs))) ? { inputs, outputs: await outputs(id) } : undefined,
  delete: ({ id }) => removeVolume(id),
};
