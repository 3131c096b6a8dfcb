import type { LiveStack, WrittenSettings } from "./live-stack.ts";

/** A change of a living cluster that is made several times, each time to another value. */
export interface Roll {
  readonly title: string;
  readonly times: number;
  readonly change: (stack: LiveStack, time: number) => Promise<unknown>;
}

/** An update after a change of the settings. */
function setting(title: string, change: (settings: WrittenSettings, time: number) => void): Roll {
  const update = async (stack: LiveStack, time: number) => {
    await stack.configure((settings) => change(settings, time));
    await stack.up();
  };
  return { title, times: 5, change: update };
}

/** The routine changes of a cluster. */
export const rolls: readonly Roll[] = [
  setting("a flag of the API servers", (settings, time) => {
    settings.apiServer = { extraFlags: { "event-ttl": `${time + 1}h` } };
  }),
  setting("a field of all kubelets", (settings, time) => {
    for (const controller of settings.controllers!) controller.kubelet = { maxPods: 64 + time };
    for (const pool of settings.workerPools!) pool.kubelet = { maxPods: 64 + time };
  }),
  setting("all certificates renewed", (settings, time) => {
    settings.certificates = { ...settings.certificates, validityHours: 8760 - time };
  }),
];
