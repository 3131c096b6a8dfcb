import { itRefuses, onTheMachine, staticPod } from "../support/settings.ts";

describe("settings of pods:", () => {
  describe("static pods", () =>
    itRefuses([
      [
        { "workerPools[0].staticPods": ["registry.yaml"] },
        "workerPools[0].staticPods[0]: not a manifest, got registry.yaml; write a Pod's fields below the dash",
      ],
      [
        { controllerStaticPods: [{ ...staticPod, kind: "Deployment", apiVersion: "apps/v1" }] },
        "controllerStaticPods[0]: not a Pod, got apps/v1 Deployment; give a manifest of apiVersion v1 and kind Pod",
      ],
      [
        { controllerStaticPods: [{}] },
        "controllerStaticPods[0]: not a Pod, got nothing; give a manifest of apiVersion v1 and kind Pod",
      ],
      [
        { "workerPools[0].staticPods": [{ apiVersion: "v1", kind: "Pod", spec: {} }] },
        "workerPools[0].staticPods[0].metadata.name: not the name of a pod, got nothing; use small letters, digits, inner dashes and dots, like registry",
        "workerPools[0].staticPods[0].spec.containers: no container, got nothing; list one at least",
      ],
      [
        { "workerPools[0].staticPods": [staticPod, { ...staticPod, metadata: { name: "../x" } }] },
        "workerPools[0].staticPods[1].metadata.name: not the name of a pod, got ../x; use small letters, digits, inner dashes and dots, like registry",
      ],
      [
        { "workerPools[0].staticPods": [staticPod, staticPod], controllerStaticPods: [staticPod] },
        "workerPools[0].staticPods[1].metadata.name: the same as workerPools[0].staticPods[0].metadata.name, got registry; give each pod a name of its own",
      ],
      [
        {
          controllerStaticPods: [
            {
              ...staticPod,
              metadata: { name: "registry", namespace: "Kube System" },
              spec: { containers: [null, {}, { name: "A", image: 3 }], initContainers: ["x"] },
            },
          ],
        },
        "controllerStaticPods[0].metadata.namespace: not the name of a namespace, got Kube System; use small letters, digits and inner dashes, like kube-system",
        "controllerStaticPods[0].spec.containers[0]: not a container, got nothing; write its name and image below the dash",
        "controllerStaticPods[0].spec.containers[1].name: not a DNS label, got nothing; use small letters, digits and inner dashes, like registry",
        "controllerStaticPods[0].spec.containers[1].image: not the name of an image, got nothing; write it like registry.example.com/registry:3",
        "controllerStaticPods[0].spec.containers[2].name: not a DNS label, got A; use small letters, digits and inner dashes, like registry",
        "controllerStaticPods[0].spec.containers[2].image: not the name of an image, got 3; write it like registry.example.com/registry:3",
        "controllerStaticPods[0].spec.initContainers[0]: not a container, got x; write its name and image below the dash",
      ],
      ...[
        ["serviceAccountName", "default"] as const,
        ["imagePullSecrets", [{ name: "x" }]] as const,
      ].map(
        ([field, value]) =>
          [
            {
              controllerStaticPods: [{ ...staticPod, spec: { ...staticPod.spec, [field]: value } }],
            },
            `controllerStaticPods[0].spec.${field}: out of reach of a static pod, got ${typeof value === "string" ? value : JSON.stringify(value)}; ${onTheMachine}`,
          ] as const,
      ),
      [
        {
          controllerStaticPods: [
            {
              ...staticPod,
              spec: {
                nodeSelector: { secret: "no" },
                containers: [
                  {
                    name: "x",
                    image: "x",
                    env: [{ name: "secret", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }],
                    envFrom: [{ configMapRef: { name: "c" } }],
                  },
                ],
                volumes: [
                  { name: "secret", secret: { secretName: "s" } },
                  { name: "p", projected: { sources: [{ configMap: { name: "c" } }] } },
                  { name: "configMap", hostPath: { path: "/x" } },
                ],
              },
            },
          ],
        },
        `controllerStaticPods[0].spec.containers[0].env[0].valueFrom.secretKeyRef: out of reach of a static pod, got {"name":"s","key":"k"}; ${onTheMachine}`,
        `controllerStaticPods[0].spec.containers[0].envFrom[0].configMapRef: out of reach of a static pod, got {"name":"c"}; ${onTheMachine}`,
        `controllerStaticPods[0].spec.volumes[0].secret: out of reach of a static pod, got {"secretName":"s"}; ${onTheMachine}`,
        `controllerStaticPods[0].spec.volumes[1].projected.sources[0].configMap: out of reach of a static pod, got {"name":"c"}; ${onTheMachine}`,
      ],
    ]));
});
