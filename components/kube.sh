# shellcheck shell=bash
# What the scripts share that ask the API; run on the operator's computer. Standard input: a kubeconfig.

fail() {
  echo "$*" >&2
  exit 1
}

command -v kubectl >/dev/null ||
  fail "kubectl: not found on this computer; it drains and taints Nodes: install it, or run \`make shell\`, which has it"

credentials=$(mktemp)
trap 'rm -f "$credentials"' EXIT
cat >"$credentials"

kube() {
  kubectl --kubeconfig="$credentials" --request-timeout=10s "$@"
}
