import type { Service } from "../../services/service.ts";

/** What services take for their own on a host, where nothing else may have it. */
export interface Claimed {
  /** TCP ports. */
  readonly ports: readonly number[];
  /** Names of systemd units, without `.service`. */
  readonly units: readonly string[];
  readonly folders: readonly string[];
  /** Files outside of those folders. */
  readonly files: readonly string[];
}

/** What these services take for their own, in a stable order. */
export function claimedBy(services: readonly Service[]): Claimed {
  const folders = [
    ...services.flatMap(({ ownFolders = [] }) => ownFolders),
    ...(services.some(({ binaries = [] }) => binaries.length > 0) ? ["/opt/kthw"] : []),
  ];
  const paths = services.flatMap(({ files }) => files.map(({ path }) => path));
  // Units are looked at by their names.
  const elsewhere = ["/etc/systemd/system", ...folders];
  return {
    ports: sorted(services.flatMap(({ ports = [] }) => ports)),
    units: services.map(({ unit }) => unit.replace(/\.service$/, "")),
    folders: sorted(folders),
    files: sorted(
      paths.filter((path) => !elsewhere.some((folder) => path.startsWith(`${folder}/`))),
    ),
  };
}

function sorted<T extends string | number>(values: readonly T[]): T[] {
  return [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));
}
