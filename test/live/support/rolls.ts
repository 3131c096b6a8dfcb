import type { LiveStack, WrittenSettings } from "./live-stack.ts";
import { makeSecrets } from "./many-secrets.ts";
import type { Rotated } from "./rotations.ts";

type Change = (stack: LiveStack) => Promise<unknown>;

/** A change of a living cluster, which takes one or more updates. */
export interface Roll {
  readonly title: string;
  /** What is made before the clients look, and without which the change would be too small. */
  readonly before?: Change;
  readonly updates: readonly Change[];
}

const setting =
  (change: (settings: WrittenSettings) => void): Change =>
  async (stack) => {
    await stack.configure(change);
    await stack.up();
  };

const fiveTimes = (title: string, change: (settings: WrittenSettings, time: number) => void) => ({
  title: `${title}, five times`,
  updates: [1, 2, 3, 4, 5].map((time) => setting((settings) => change(settings, time))),
});

const rotation = (title: string, name: Rotated): Roll => ({
  title: `${title}: trust, sign, drop`,
  updates: ["trust 2", "sign 2", "drop 1"].map((step) =>
    setting((settings) => {
      const certificates = (settings.certificates ?? {}) as { rotation?: object };
      const rotation = { ...certificates.rotation, [name]: step };
      settings.certificates = { ...certificates, rotation };
    }),
  ),
});

const key1 = { name: "key1", provider: "aescbc" } as const;
const key2 = { name: "key2", provider: "secretbox" } as const;

const controllers = [1, 2, 3, 4, 5].map((number) => ({
  name: `cp${number}`,
  address: `10.240.0.1${number}`,
  podCidr: `10.200.1${number}.0/24`,
}));

/** The cluster with so many controllers. */
const grown = (count: number) =>
  setting((settings) => {
    settings.controllers = controllers.slice(0, count);
  });

/** The routine changes of a cluster with three controllers. */
export const rolls: readonly Roll[] = [
  fiveTimes("a flag of the API servers", (settings, time) => {
    settings.apiServer = { extraFlags: { "event-ttl": `${time + 1}h` } };
  }),
  fiveTimes("a flag of etcd", (settings, time) => {
    settings.etcd = { quotaMiB: 2048 + time };
  }),
  fiveTimes("a field of all kubelets", (settings, time) => {
    for (const controller of settings.controllers!) controller.kubelet = { maxPods: 64 + time };
    for (const pool of settings.workerPools!) pool.kubelet = { maxPods: 64 + time };
  }),
  fiveTimes("all certificates renewed", (settings, time) => {
    settings.certificates = { ...settings.certificates, validityHours: 8760 - time };
  }),
  rotation("the front-proxy authority", "frontProxyCa"),
  rotation("etcd's authority", "etcdCa"),
  rotation("the service-account key", "serviceAccountKey"),
  {
    ...rotation("the Kubernetes authority", "kubernetesCa"),
    // A kubelet that joined otherwise keeps the authority with which it joined.
    before: setting((settings) => {
      settings.workerPools = settings.workerPools!.filter(
        ({ join = "certificates" }) => join === "certificates",
      );
    }),
  },
  {
    title: "the encryption key, with 2,000 Secrets: second, first, alone",
    before: (stack) => makeSecrets(stack, 2000),
    updates: [[key1, key2], [key2, key1], [key2]].map((keys) =>
      setting((settings) => {
        settings.encryptionKeys = keys;
      }),
    ),
  },
  {
    title: "a controller made anew",
    updates: [(stack) => stack.up("--replace", "**:Command::cp1")],
  },
  {
    title: "from three controllers to five, to three, to one, to three",
    updates: [5, 3, 1, 3].map(grown),
  },
];
