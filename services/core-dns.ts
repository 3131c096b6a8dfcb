/** How many pods CoreDNS has. */
export const dnsReplicas = 2;

/**
 * CoreDNS's configuration: https://coredns.io/plugins/kubernetes/ Without forwarders, every name outside the cluster is answered with
 * NXDOMAIN by the plugin `template`. The plugin has a server block of its own, since in one block it would run before `kubernetes`.
 */
export function corefile(clusterDomain: string, forwarders: readonly string[]): string {
  return forwarders.length === 0
    ? `${server(`${clusterDomain}:53 in-addr.arpa:53 ip6.arpa:53`, clusterDomain, "", "")}
.:53 {
    errors
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`
    : server(
        ".:53",
        clusterDomain,
        "        fallthrough in-addr.arpa ip6.arpa\n",
        `    forward . ${forwarders.join(" ")}\n    loop\n`,
      );
}

function server(
  zones: string,
  clusterDomain: string,
  fallthrough: string,
  forward: string,
): string {
  return `${zones} {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
        pods insecure
${fallthrough}        ttl 30
    }
    prometheus :9153
${forward}    cache 30
    reload
    loadbalance
}
`;
}

/** The pods of CoreDNS: spread over nodes, and allowed on the control plane. */
export function dnsPodSpec(image: string, labels: Record<string, string>) {
  return {
    serviceAccountName: "coredns",
    priorityClassName: "system-cluster-critical",
    dnsPolicy: "Default",
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: [
      { key: "node-role.kubernetes.io/control-plane", operator: "Exists", effect: "NoSchedule" },
    ],
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            podAffinityTerm: {
              labelSelector: { matchLabels: labels },
              topologyKey: "kubernetes.io/hostname",
            },
          },
        ],
      },
    },
    containers: [
      {
        name: "coredns",
        image,
        imagePullPolicy: "IfNotPresent",
        args: ["-conf", "/etc/coredns/Corefile"],
        resources: { requests: { cpu: "100m", memory: "70Mi" }, limits: { memory: "170Mi" } },
        volumeMounts: [{ name: "config", mountPath: "/etc/coredns", readOnly: true }],
        ports: [
          { name: "dns", containerPort: 53, protocol: "UDP" },
          { name: "dns-tcp", containerPort: 53, protocol: "TCP" },
          { name: "metrics", containerPort: 9153, protocol: "TCP" },
        ],
        livenessProbe: {
          httpGet: { path: "/health", port: 8080, scheme: "HTTP" },
          initialDelaySeconds: 60,
          timeoutSeconds: 5,
          failureThreshold: 5,
        },
        readinessProbe: {
          httpGet: { path: "/ready", port: 8181, scheme: "HTTP" },
          periodSeconds: 1,
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { add: ["NET_BIND_SERVICE"], drop: ["ALL"] },
          readOnlyRootFilesystem: true,
        },
      },
    ],
    volumes: [
      {
        name: "config",
        configMap: { name: "coredns", items: [{ key: "Corefile", path: "Corefile" }] },
      },
    ],
  };
}
