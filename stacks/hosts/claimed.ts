import type { Service } from "../../services/service.ts";

/** Ports, units, folders and files of services, which nothing else on the host may use. */
export interface Claimed {
  /** TCP ports. */
  readonly ports: readonly number[];
  /** Names of systemd units, without `.service`. */
  readonly units: readonly string[];
  readonly folders: readonly string[];
  /** Files outside of those folders. */
  readonly files: readonly string[];
}

/** The ports, units, folders and files of these services, in a stable order. */
export function claimedBy(services: readonly Service[]): Claimed {
  const folders = [
    ...services.flatMap(({ ownFolders = [] }) => ownFolders),
    ...(services.some(({ binaries = [] }) => binaries.length > 0) ? ["/opt/kthw"] : []),
  ];
  const paths = services.flatMap(({ files }) => files.map(({ path }) => path));
  // Unit files are checked by the names of their units.
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
