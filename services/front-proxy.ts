import type { ClusterFacts } from "./cluster-facts.ts";
import { pki } from "./service.ts";

/**
 * Shell command for a controller that succeeds once extension API servers are told the authorities of the front proxy that are in the
 * file. API servers only ever add to that ConfigMap, so that it is deleted where it holds more; they make it anew.
 */
export function frontProxyAuthorityPublished({ folders }: ClusterFacts): string {
  return `k() {
  ${folders.kubernetes}/kubectl --cache-dir=/dev/null --kubeconfig=/etc/kubernetes/admin.conf --namespace=kube-system "$@" configmap extension-apiserver-authentication
}
has=$(k get --output='go-template={{index .data "requestheader-client-ca-file"}}' | grep --count 'BEGIN CERTIFICATE')
wants=$(grep --count 'BEGIN CERTIFICATE' ${pki}/front-proxy-ca.crt) || exit 1
((has <= wants)) || k delete
((has == wants)) || { echo "extension API servers are told $has authorities, not $wants"; exit 1; }`;
}
