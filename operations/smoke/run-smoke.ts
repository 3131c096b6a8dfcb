/** Checks the cluster of a stack, and prints how each check ends: `run-smoke.ts <stack>`. */
import { argv, exit } from "node:process";
import { output, stretched, stretchTimeouts } from "../access/command.ts";
import { outputsOf } from "../access/stack.ts";
import { type Check, runChecks } from "./check.ts";
import { Cluster } from "./cluster.ts";
import * as controlPlane from "./control-plane.ts";
import * as drift from "./drift.ts";
import * as etcd from "./etcd.ts";
import * as network from "./network.ts";
import * as workload from "./workload.ts";

/** The checks in their order. */
const checks: readonly Check<Cluster>[] = [
  controlPlane.apiAnswers,
  controlPlane.nodesReady,
  controlPlane.nodesDiffer,
  controlPlane.servicesHealthy,
  controlPlane.etcdHealthy,
  etcd.etcdHasRoom,
  drift.nothingDiffers,
  drift.apiServicesAnswer,
  controlPlane.namespaceMade,
  controlPlane.secretsEncrypted,
  workload.imageThere,
  workload.deploymentRuns,
  workload.execWorks,
  workload.logsShown,
  workload.portForwarded,
  network.podsTalk,
  network.serviceAnswers,
  network.nodePortAnswers,
  network.apiFromPods,
  drift.dnsServersThere,
  network.dnsFinds,
  network.dnsDenies,
];

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: run-smoke.ts <stack>");
  exit(2);
}

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => interrupted.abort());

const outputs = await outputsOf(stack).catch((error: Error) => {
  console.error(error.message);
  exit(1);
});
stretchTimeouts(outputs.timeoutFactor);
const cluster = new Cluster(stack, outputs, interrupted.signal);
const say = (line: string) => console.log(line);
const passed = await runChecks(checks, cluster, say, interrupted.signal);

const { namespace } = cluster;

/** Without `cluster.kubectl`, which does nothing after an interruption. */
const removed: Check<undefined> = {
  name: "what the checks made is removed",
  async run() {
    const silent = await drift.silentApiServices().catch(() => []);
    const seconds = stretched(silent.length === 0 ? 60 : 10);
    const wait = interrupted.signal.aborted ? "--wait=false" : `--timeout=${seconds}s`;
    const args = ["delete", "namespace", namespace, "--ignore-not-found", wait];
    await output("kubectl", args, { timeoutSeconds: 70 }).catch((error: Error) => {
      throw new Error([error.message.trim(), ...silent].join("\n"));
    });
  },
  lookAt: () => [cluster.kubectlLine(`delete namespace ${namespace}`)],
};
const never = new AbortController().signal;
const clean = await runChecks([removed], undefined, say, never);
if (interrupted.signal.aborted) {
  console.error("interrupted");
  exit(130);
}
exit(passed && clean ? 0 : 1);
