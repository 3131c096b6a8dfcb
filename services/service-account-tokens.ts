import type { ClusterFacts } from "./cluster-facts.ts";
import { pki } from "./service.ts";

/**
 * Shell command for a node that succeeds once no Pod's token is older than the command's first run. A kubelet keeps the tokens that it
 * has asked for until they end, unless it is started again.
 */
export function tokensRenewed(): string {
  const since = "/run/kthw-tokens-since";
  return `[ -e ${since} ] || { touch ${since} && systemctl restart kubelet.service; } || exit 1
old=$(find /var/lib/kubelet/pods/*/volumes/kubernetes.io~projected -name token -type f ! -newer ${since} 2>/dev/null)
[ -z "$old" ] || { echo "still old: $old"; exit 1; }
rm ${since}`;
}

/**
 * Shell commands for a controller that change nothing, and fail while a Secret has a token of another key than the one that signs now. On a
 * controller of a new cluster there is nothing to ask.
 */
export function noFormerTokens({ folders }: ClusterFacts): string {
  return `[ -e ${pki}/sa.key ] || exit 0
refused=
kube() { ${folders.kubernetes}/kubectl --cache-dir=/dev/null --kubeconfig=/etc/kubernetes/admin.conf "$@"; }
now=$(kube create token default --namespace=kube-system) || exit
secrets=$(kube get secrets --all-namespaces --field-selector=type=kubernetes.io/service-account-token \\
  --output='go-template={{range .items}}{{if .data.token}}{{.metadata.namespace}}/{{.metadata.name}} {{.data.token}}{{"\\n"}}{{end}}{{end}}') || exit
while read -r secret token; do
  test -n "$token" || continue
  # The head of a token names the key.
  case $(echo "$token" | base64 --decode) in
    "\${now%%.*}".*) ;;
    *)
      echo "certificates.rotation.serviceAccountKey: the Secret $secret has a token of the key that is to be dropped; delete the Secret, and make it anew" >&2
      refused=yes
      ;;
  esac
done <<EOF
$secrets
EOF
test -z "$refused"`;
}
