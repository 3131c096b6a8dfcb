import { itRefuses, taint } from "../support/settings.ts";

describe("settings of nodes:", () => {
  describe("labels and taints", () =>
    itRefuses([
      [
        { controllerLabels: { "a/b/c": "x" } },
        'controllerLabels["a/b/c"]: not the key of a label, got a/b/c; write it like disk or example.com/disk',
      ],
      [
        { controllerLabels: { "Example.com/disk": "x" } },
        'controllerLabels["Example.com/disk"]: not the key of a label, got Example.com/disk; write it like disk or example.com/disk',
      ],
      [
        { "workerPools[0].labels.disk": "solid state" },
        "workerPools[0].labels.disk: not the value of a label, got solid state; use up to 63 letters, digits and inner dashes, dots and underscores",
      ],
      [
        { "workerPools[0].labels.fast": true },
        'workerPools[0].labels.fast: not a text, got true; put it in quotes, or add --type string to pulumi config set ("" for none)',
      ],
      [
        { "workerPools[0].labels.fast": null },
        'workerPools[0].labels.fast: not a text, got nothing; put it in quotes, or add --type string to pulumi config set ("" for none)',
      ],
      ...["dedicated=yes", "a=b=c:NoSchedule", "a:Never", ":NoExecute", "a=-:NoExecute"].map(
        (text) =>
          [
            { controllerTaints: [text] },
            `controllerTaints[0]: not a taint, got ${text}; ${taint}`,
          ] as const,
      ),
      [
        { "workerPools[0].taints": [{ key: "a" }] },
        `workerPools[0].taints[0]: not a taint, got {"key":"a"}; ${taint}`,
      ],
      [
        { "workerPools[0].taints": ["a:NoExecute", "a:NoSchedule", "a=b:NoExecute"] },
        "workerPools[0].taints[2]: the same key and effect as workerPools[0].taints[0], got a=b:NoExecute; leave one of them out",
      ],
    ]));
});
