import { etcdctl } from "../access/etcdctl.ts";
import { makeFor } from "../access/make.ts";
import { alarmScript, alarmsIn, onFirst } from "../etcd/controllers.ts";
import type { Check } from "./check.ts";
import type { Cluster } from "./cluster.ts";

/** The part of the quota from which on a database is named, in percent. */
const nearlyFull = 80;

/** No member of etcd has raised an alarm, and none is nearly full. */
export const etcdHasRoom: Check<Cluster> = {
  name: "etcd has room and no alarms",
  async run(cluster) {
    const controllers = cluster.of("controller");
    const sizes = `${etcdctl} --command-timeout=5s endpoint status --cluster --write-out=fields`;
    const { stdout, stderr } = await onFirst(controllers, `${alarmScript} && ${sizes}`, {
      timeoutSeconds: 30,
      signal: cluster.signal,
    });
    const alarms = alarmsIn(stdout, makeFor(cluster.stack));
    if (alarms.length > 0) throw new Error(alarms.join("\n"));
    const full = nearlyFullIn(stdout);
    if (full.length > 0) throw new Error(full.join("\n"));
    if (!stdout.includes("DBSizeQuota")) throw new Error(stderr.trim());
  },
  lookAt: (cluster) => [
    cluster.makeLine("etcdctl CMD='endpoint status --cluster --write-out=table'"),
  ],
};

/** The members whose databases are nearly full, in the output of etcdctl, a line for each. */
export function nearlyFullIn(output: string): string[] {
  const number = (text: string, field: string) =>
    Number(new RegExp(`^"${field}" : (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  const mib = (bytes: number) => Math.round(bytes / 1_048_576);
  return output.split(/\n(?="ClusterID" : )/).flatMap((text) => {
    const used = number(text, "DBSizeInUse");
    const quota = number(text, "DBSizeQuota");
    if (quota === 0 || used * 100 < quota * nearlyFull) return [];
    const endpoint = /^"Endpoint" : "(.*)"$/m.exec(text)?.[1];
    return [
      `${endpoint} uses ${mib(used)} of ${mib(quota)} MiB; remove objects, or raise etcd.quotaMiB and run make up`,
    ];
  });
}
