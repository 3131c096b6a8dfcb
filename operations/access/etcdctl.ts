const pki = "/etc/kubernetes/pki";

/** The command line of etcdctl on a controller, which asks the controller's own member. */
export const etcdctl = [
  `"$(find /opt/kthw/etcd -name etcdctl | sort --version-sort | tail -n 1)"`,
  `--endpoints=https://127.0.0.1:2379 --cacert=${pki}/etcd/ca.crt`,
  `--cert=${pki}/apiserver-etcd-client.crt --key=${pki}/apiserver-etcd-client.key`,
].join(" ");
