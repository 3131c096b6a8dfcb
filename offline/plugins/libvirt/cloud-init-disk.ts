import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Resource } from "../protocol/provider.ts";
import { required, text } from "../protocol/shape.ts";
import type { Properties } from "../protocol/values.ts";
import { virsh, withFolder } from "./virsh.ts";
import { makeVolume, poolOf, removeVolume, volumeIsThere } from "./volume.ts";

/** The path of the volume of a disk for cloud-init, by the id of the disk. */
export const pathOf = (id: string): string => id.replace(/;.*/, "");

/** Writes an image from which cloud-init reads its data. */
export function writeSeed(image: string, folder: string, inputs: Properties): void {
  const files = {
    "user-data": inputs.userData,
    "meta-data": inputs.metaData,
    "network-config": inputs.networkConfig,
  };
  for (const [name, content = ""] of Object.entries(files))
    writeFileSync(join(folder, name), String(content), { mode: 0o600 });
  execFileSync(
    "mkisofs",
    ["-output", image, "-volid", "cidata", "-joliet", "-rock", ...Object.keys(files)],
    { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
}

/** A disk from which cloud-init reads what it does at a machine's first boot. */
export const cloudInitDisk: Resource = {
  inputs: { name: required(text), pool: text, userData: text, metaData: text, networkConfig: text },
  replaces: () => true,
  deleteBeforeReplace: (state, inputs) => state.properties.name === inputs.name,
  plan: () => ({}),
  create: (inputs) =>
    withFolder(async (folder) => {
      const [name, pool] = [String(inputs.name), poolOf(inputs)];
      const image = join(folder, "seed.iso");
      writeSeed(image, folder, inputs);
      await virsh().call("pool-refresh", pool);
      const path = await makeVolume(pool, name, { capacity: statSync(image).size, format: "raw" });
      await virsh().call("vol-upload", name, image, "--pool", pool);
      return { id: `${path};${randomUUID()}`, outputs: {} };
    }),
  read: async ({ id, inputs }) =>
    (await volumeIsThere(pathOf(id), poolOf(inputs))) ? { inputs, outputs: {} } : undefined,
  delete: ({ id }) => removeVolume(pathOf(id)),
};
