import { isDropped, signingGeneration } from "../components/rotation.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { pki } from "./service.ts";

/** How long the API servers may take until they have looked, in seconds: they look every five minutes. */
export const lookWithinSeconds = 420;

/**
 * Whether the clients of the API that the program starts are started again in this step, by the pairs that the new authority has signed.
 * They would look by themselves within five minutes, but kube-proxies, whose requests are all held open, later.
 */
export function startsForAuthority({ turns }: ClusterFacts): boolean {
  return turns.kubernetesCa.phase === "sign";
}

/**
 * An annotation of Pods that know the cluster's authority: another one that signs replaces the Pods, since not all programs read the
 * authorities anew. None with the first authority.
 */
export function authorityMark({ turns }: ClusterFacts): Readonly<Record<string, string>> {
  const generation = signingGeneration(turns.kubernetesCa);
  return generation === 1 ? {} : { "kthw/authority": `${generation}` };
}

const kubectl = ({ folders }: ClusterFacts) =>
  `${folders.kubernetes}/kubectl --cache-dir=/dev/null --kubeconfig=/etc/kubernetes/admin.conf`;

/**
 * Shell command for a controller that succeeds once extension API servers are told the authorities that are in a file. API servers only
 * ever add to that ConfigMap, so that it is deleted where it holds more; they make it anew.
 */
export function authoritiesPublished(
  facts: ClusterFacts,
  { key, file }: { readonly key: string; readonly file: string },
): string {
  return `k() {
  ${kubectl(facts)} --namespace=kube-system "$@" configmap extension-apiserver-authentication
}
has=$(k get --output='go-template={{index .data "${key}"}}' | grep --count 'BEGIN CERTIFICATE')
wants=$(grep --count 'BEGIN CERTIFICATE' ${pki}/${file}) || exit 1
((has <= wants)) || k delete
((has == wants)) || { echo "extension API servers are told $has authorities, not $wants"; exit 1; }`;
}

/** Shell command for a controller that succeeds once every namespace has the authorities that are in the file of API servers. */
export function authoritiesInNamespaces(facts: ClusterFacts): string {
  return `sizes=$(${kubectl(facts)} get configmaps --all-namespaces --field-selector=metadata.name=kube-root-ca.crt \\
  --output=go-template='{{range .items}}{{len (index .data "ca.crt")}}{{"\\n"}}{{end}}' | sort --unique)
[[ $sizes == "$(stat --dereference --format=%s ${pki}/${facts.trustFile})" ]] || { echo "kube-root-ca.crt has $sizes bytes"; exit 1; }`;
}

/** A file with the start of an API server, and how often that had looked by which authorities it verifies kubelets. */
const looksFile = "/run/kthw-authority-looks";

/**
 * Shell functions for a controller: `api` asks its API server; `looks` prints when that was started and how often it has looked since;
 * `ask_kubelet` lets it look, which it does at the first request to a kubelet that comes five minutes after the last look.
 */
const looking = (node: string) => `api() {
  curl --fail --silent --max-time 5 --cacert ${pki}/ca.crt --cert ${pki}/admin.crt --key ${pki}/admin.key "https://127.0.0.1:6443$1"
}
looks() {
  api /metrics | awk '/^process_start_time_seconds / { start = $2 }
    /^rest_client_transport_ca_reload_total\\{.*result="success"/ { sum += $NF }
    END { if (start) print start, sum + 0; else exit 1 }'
}
ask_kubelet() {
  api /api/v1/nodes/${node}/proxy/healthz >/dev/null
}`;

/** Shell command for a controller that counts the looks of its API server once the authorities that are trusted have changed. */
export function looksCounted(node: string): string {
  return `${looking(node)}
looks >${looksFile} || exit 1
ask_kubelet || true`;
}

/**
 * Shell command for a controller that succeeds once its API server has looked since the looks were counted. An API server that was started
 * since then has looked then.
 */
export function newlyLooked(node: string): string {
  return `${looking(node)}
read -r start count 2>/dev/null <${looksFile} || exit 0
read -r now looked < <(looks) || { echo "no metrics of the API server"; exit 1; }
if [[ $now == "$start" ]] && ((looked <= count)); then
  ask_kubelet
  sleep 5
  echo "the API server has not looked yet by which authorities it verifies kubelets"
  exit 1
fi
rm ${looksFile}`;
}

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
 * Shell commands for a controller that fail while something in the cluster still needs an authority or a key that is to be dropped:
 * kubelets of guests, tokens in Secrets. They change nothing. On a controller of a new cluster there is nothing to ask.
 */
export function formerUnused(facts: ClusterFacts): string {
  const { kubernetesCa, serviceAccountKey } = facts.turns;
  const where = "certificates.rotation";
  return [
    `[ -e ${pki}/ca.key ] || exit 0
refused=
kube() { ${kubectl(facts)} "$@"; }
refuse() { echo "$1" >&2; refused=yes; }`,
    ...(isDropped(kubernetesCa)
      ? [
          `# Without a former authority beside the new one there is nothing to ask, such as after an upgrade.
nodes=
test "$(grep --count 'BEGIN CERTIFICATE' ${pki}/ca.crt)" -lt 2 ||
  nodes=$(kube get nodes --output='jsonpath={range .items[*]}{.metadata.name} {.status.addresses[?(@.type=="InternalIP")].address}{"\\n"}{end}') || exit
while read -r node address; do
  test -n "$address" || continue
  # The administrator's certificate is of the new authority, what the kubelet serves with is verified by that alone.
  answer=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 --cacert ${pki}/ca-signing.crt \\
    --cert ${pki}/admin.crt --key ${pki}/admin.key "https://$address:10250/healthz" </dev/null)
  case $?:$answer in
    60:*) wrong='has a certificate of the authority that is to be dropped; let the machine join anew' ;;
    0:401) wrong='knows its clients by the authority alone that is to be dropped; let the machine join anew' ;;
    35:*) wrong='serves with no certificate, so that nobody sees which authority it knows; approve its request for one' ;;
    *) continue ;;
  esac
  refuse "${where}.kubernetesCa: the kubelet of $node $wrong"
done <<EOF
$nodes
EOF`,
        ]
      : []),
    ...(isDropped(serviceAccountKey)
      ? [
          `now=$(kube create token default --namespace=kube-system) || exit
secrets=$(kube get secrets --all-namespaces --field-selector=type=kubernetes.io/service-account-token \\
  --output='go-template={{range .items}}{{if .data.token}}{{.metadata.namespace}}/{{.metadata.name}} {{.data.token}}{{"\\n"}}{{end}}{{end}}') || exit
while read -r secret token; do
  test -n "$token" || continue
  # The head of a token names the key.
  case $(echo "$token" | base64 --decode) in
    "\${now%%.*}".*) ;;
    *) refuse "${where}.serviceAccountKey: the Secret $secret has a token of the key that is to be dropped; delete the Secret, and make it anew" ;;
  esac
done <<EOF
$secrets
EOF`,
        ]
      : []),
    `test -z "$refused"`,
  ].join("\n");
}
