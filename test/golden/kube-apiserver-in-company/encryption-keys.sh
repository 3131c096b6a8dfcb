#!/bin/bash
# encryption-keys loaded                    whether this machine's API server has loaded its file of keys as it is now
# encryption-keys rewrite ETCDCTL PREFIX    encrypts Secrets anew until each begins with PREFIX in etcd
set -euo pipefail
api=https://127.0.0.1:6443

ask() {
  curl --silent --show-error --max-time 30 --cacert /etc/kubernetes/pki/ca.crt --cert /etc/kubernetes/pki/admin.crt --key /etc/kubernetes/pki/admin.key "$@"
}

# The API server looks at its file once a minute. Its metrics are large: they are asked for every two seconds.
loaded() {
  local file info
  file=$(sha256sum </etc/kubernetes/encryption.yaml)
  if ! info=$(ask --fail "$api/metrics" | grep '^apiserver_encryption_config_controller_last_config_info{'); then
    echo "kube-apiserver does not say which encryption keys it has loaded"
  elif [[ $info != *"\"sha256:${file%% *}\""* ]]; then
    echo "kube-apiserver has not loaded /etc/kubernetes/encryption.yaml as it is now; if it cannot read the file, its journal says why"
  else
    return 0
  fi
  sleep 2
  return 1
}

# Prints the namespace and name of each Secret whose value in etcd begins otherwise.
others() { # ETCDCTL PREFIX
  local from=/registry/secrets/ page count hex whose key
  hex=$(printf %s "$2" | od -An -v -tx1 | tr -d '\n' | sed 's/ /\\x/g')
  while true; do
    page=$("$1" --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/apiserver-etcd-client.crt \
      --key=/etc/kubernetes/pki/apiserver-etcd-client.key get "$from" /registry/secrets0 --limit=100 --hex |
      cut -c -4000 | HEX=$hex awk 'NR % 2 { key = $0; next } { print index($0, ENVIRON["HEX"]) == 1 ? "ours" : "other", key }') || exit 1
    count=0
    while read -r whose key; do
      [[ -n $key ]] || continue
      count=$((count + 1))
      printf -v from %b "$key"
      [[ $whose == ours ]] || echo "${from#/registry/secrets/}"
    done <<<"$page"
    # A page begins with the last of the page before it.
    ((count == 100)) || return 0
  done
}

# Has the API server write the Secrets that stand on standard input, by a change that changes nothing. Prints those that it did not write.
write_anew() {
  sed "s|\(.*\)/\(.*\)|url = \"$api/api/v1/namespaces/\1/secrets/\2\"\noutput = \"/dev/null\"|" |
    ask --parallel --parallel-max 4 --request PATCH --header 'Content-Type: application/merge-patch+json' --data '{}' \
      --write-out '%{http_code} %{url} %{errormsg}\n' --config - 2>/dev/null | grep -Ev '^(200|404) '
}

rewrite() { # ETCDCTL PREFIX
  local left said
  for _ in 1 2 3; do
    left=$(others "$@" | sort -u) || exit 1
    [[ -n $left ]] || return 0
    said=$(write_anew <<<"$left") || true
  done
  echo "$(wc -l <<<"$left") Secrets do not begin with $2 in etcd, $(head -n 1 <<<"$left") among them; the API server said: $(head -n 1 <<<"$said")"
  sleep 2
  return 1
}

"$@"
