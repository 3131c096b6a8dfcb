const kubelet = "the kubelet, which puts it right again";

/** The component that sets the label on Nodes, if there is one: https://kubernetes.io/docs/reference/labels-annotations-taints/ */
export function labelOwner(key: string): string | undefined {
  return owned(labels, key);
}

/** The component that sets the taint on Nodes and removes the taint again, if there is one. */
export function taintOwner(key: string): string | undefined {
  return owned(taints, key);
}

const labels: Readonly<Record<string, string>> = {
  "app.kubernetes.io/managed-by": "the program, which tells its nodes from others by it",
  "beta.kubernetes.io/arch": kubelet,
  "beta.kubernetes.io/os": kubelet,
  "kubernetes.io/arch": kubelet,
  "kubernetes.io/hostname": kubelet,
  "kubernetes.io/os": kubelet,
};

const nodeController = "the node controller, which puts it on and takes it off";
const cloud = "a cloud's controller, which puts it on and takes it off";
const taints: Readonly<Record<string, string>> = {
  "node.cloudprovider.kubernetes.io/shutdown": cloud,
  "node.cloudprovider.kubernetes.io/uninitialized": cloud,
  "node.kubernetes.io/disk-pressure": nodeController,
  "node.kubernetes.io/memory-pressure": nodeController,
  "node.kubernetes.io/network-unavailable": nodeController,
  "node.kubernetes.io/not-ready": nodeController,
  "node.kubernetes.io/pid-pressure": nodeController,
  "node.kubernetes.io/unreachable": nodeController,
  "node.kubernetes.io/unschedulable": nodeController,
};

function owned(owners: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(owners, key) ? owners[key] : undefined;
}
