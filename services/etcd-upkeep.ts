import { readFileSync } from "node:fs";
import type { File } from "../node/description.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { unit } from "./systemd.ts";

/** The folder of the snapshots that a controller takes of its member. */
export const backupFolder = "/var/backups/etcd";

/** The program on controllers that takes snapshots of etcd and keeps room in etcd. */
export const upkeepPath = "/usr/local/libexec/kthw/etcd-upkeep";

const script = readFileSync(new URL("etcd-upkeep.sh", import.meta.url), "utf8");

/** The files of what a controller does with its member of etcd now and then. None restarts etcd. */
export function upkeepFiles({
  clusterName,
  kubernetesVersion,
  folders,
  etcd,
}: ClusterFacts): File[] {
  const { backup, defragmentation } = etcd;
  return [
    {
      path: upkeepPath,
      text: [
        "#!/bin/bash",
        `ETCD_BINARIES=${folders.etcd}`,
        `CLUSTER_NAME=${clusterName}`,
        `KUBERNETES_VERSION=${kubernetesVersion}`,
        script.replace("# shellcheck shell=bash\n", ""),
      ].join("\n"),
      mode: "0755",
      live: true,
    },
    ...(backup.enabled
      ? every(
          backup.intervalHours,
          "etcd-backup",
          "Snapshot of etcd",
          `backup ${backupFolder} ${backup.keep}`,
        )
      : []),
    ...(defragmentation.enabled
      ? every(
          defragmentation.intervalHours,
          "etcd-defragment",
          "Defragmentation of etcd",
          `defragment ${defragmentation.freePercent}`,
        )
      : []),
  ];
}

/** A timer and its service. Controllers take their turns at random, so that they are not all busy at once. */
function every(hours: number, name: string, description: string, words: string): File[] {
  const place = (suffix: string, text: string): File => ({
    path: `/etc/systemd/system/${name}.${suffix}`,
    mode: "0600",
    text,
    live: true,
  });
  return [
    place(
      "service",
      unit({
        Unit: { Description: description, After: "etcd.service" },
        Service: {
          Type: "oneshot",
          User: "etcd",
          ExecStart: `${upkeepPath} ${words}`,
          Nice: "10",
          IOSchedulingClass: "idle",
          TimeoutStartSec: "1h",
        },
      }),
    ),
    place(
      "timer",
      unit({
        Unit: { Description: description },
        Timer: {
          OnActiveSec: "10min",
          OnUnitActiveSec: `${hours}h`,
          RandomizedDelaySec: "10min",
        },
        Install: { WantedBy: "timers.target" },
      }),
    ),
  ];
}
