const pki = "/etc/kubernetes/pki";

/** Shell command on a controller that prints the folder of the etcd that the controller runs; other versions may lie beside it. */
export const etcdFolder = `sed -n 's/^Environment=ETCD_BINARIES=//p' /etc/systemd/system/etcd.service`;

/** The command line of etcdctl on a controller, which asks the controller's own member. */
export const etcdctl = [
  `"$(${etcdFolder})/etcdctl"`,
  `--endpoints=https://127.0.0.1:2379 --cacert=${pki}/etcd/ca.crt`,
  `--cert=${pki}/apiserver-etcd-client.crt --key=${pki}/apiserver-etcd-client.key`,
].join(" ");
