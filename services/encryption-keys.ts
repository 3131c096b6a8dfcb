import { createHash } from "node:crypto";
import type { ClusterFacts } from "./cluster-facts.ts";
import { pki } from "./service.ts";
import { yaml } from "./yaml.ts";

/** The providers of encryption, by which keys of 32 bytes encrypt Secrets in etcd. */
export const encryptionProviders = ["aescbc", "secretbox"] as const;

/** A key by which Secrets are encrypted in etcd. */
export interface EncryptionKey {
  readonly name: string;
  readonly provider: (typeof encryptionProviders)[number];
}

/** The keys of clusters that were made before the keys were a setting, and of clusters that do not set them. */
export const defaultEncryptionKeys: readonly EncryptionKey[] = [
  { name: "key1", provider: "aescbc" },
];

/** The keys that the API servers are given by an update: the first encrypts, all of them decrypt. */
export interface EncryptionStep {
  readonly keys: readonly EncryptionKey[];
  /** 1 more for each change of the keys, also for one that was cut off; 0 for the first keys. */
  readonly number: number;
}

/** The names of what remembers the keys in Pulumi's state: those of the last step that began, and those of the last that ended. */
export const encryptionRecords = {
  begun: "encryption-keys:begun",
  confirmed: "encryption-keys:confirmed",
} as const;

/** The file of the keys on a controller. */
export const encryptionPath = "/etc/kubernetes/encryption.yaml";
const scriptPath = "/usr/local/libexec/kthw/encryption-keys";

/** How a Secret begins in etcd that a key has encrypted. */
export function encryptedPrefix({ name, provider }: EncryptionKey): string {
  return `k8s:enc:${provider}:v1:${name}:`;
}

/** A key and its provider, for people. */
export function shownKey({ name, provider }: EncryptionKey): string {
  return `${name} (${provider})`;
}

/** The 32 bytes of a key from a random text, in base64. */
export function encryptionSecret(random: string): string {
  return createHash("sha256").update(random).digest("base64");
}

/**
 * EncryptionConfiguration of https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/. The number of the step makes each step's
 * text another one, so that a step is placed on every controller whatever a step that was cut off has left there.
 */
export function encryptionConfiguration(
  { keys, number }: EncryptionStep,
  secrets: readonly string[],
): string {
  const providers = keys.map(({ name, provider }, index) => ({
    [provider]: { keys: [{ name, secret: secrets[index] }] },
  }));
  const text = yaml({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources: ["secrets"], providers: [...providers, { identity: {} }] }],
  });
  return number === 0 ? text : `# Step ${number}\n${text}`;
}

/** Shell command for a controller that succeeds once the controller's API server has loaded the keys of a step. */
export function keysLoaded({ keys, number }: EncryptionStep): string {
  return `${scriptPath} loaded # step ${number}: ${keys.map(shownKey).join(", ")}`;
}

/** Shell command for a controller that encrypts every Secret in etcd by the first key; it does nothing where all of them are. */
export function rewriteSecrets(facts: ClusterFacts, { keys, number }: EncryptionStep): string {
  const prefix = encryptedPrefix(keys[0]!);
  return `${scriptPath} rewrite ${facts.folders.etcd}/etcdctl ${prefix} # step ${number}, etcd generation ${facts.etcdGeneration}`;
}

/** The script behind these commands. */
export const encryptionScript = {
  path: scriptPath,
  mode: "0755",
  live: true,
  text: `#!/bin/bash
# encryption-keys loaded                    whether this machine's API server has loaded its file of keys as it is now
# encryption-keys rewrite ETCDCTL PREFIX    encrypts Secrets anew until each begins with PREFIX in etcd
set -euo pipefail
api=https://127.0.0.1:6443

ask() {
  curl --silent --show-error --max-time 30 --cacert ${pki}/ca.crt --cert ${pki}/admin.crt --key ${pki}/admin.key "$@"
}

# The API server looks at its file once a minute. Its metrics are large: they are asked for every two seconds.
loaded() {
  local file info
  file=$(sha256sum <${encryptionPath})
  if ! info=$(ask --fail "$api/metrics" | grep '^apiserver_encryption_config_controller_last_config_info{'); then
    echo "kube-apiserver does not say which encryption keys it has loaded"
  elif [[ $info != *"\\"sha256:\${file%% *}\\""* ]]; then
    echo "kube-apiserver has not loaded ${encryptionPath} as it is now; if it cannot read the file, its journal says why"
  else
    return 0
  fi
  sleep 2
  return 1
}

# Prints the namespace and name of each Secret whose value in etcd begins otherwise.
others() { # ETCDCTL PREFIX
  local from=/registry/secrets/ page count hex whose key
  hex=$(printf %s "$2" | od -An -v -tx1 | tr -d '\\n' | sed 's/ /\\\\x/g')
  while true; do
    page=$("$1" --endpoints=https://127.0.0.1:2379 --cacert=${pki}/etcd/ca.crt --cert=${pki}/apiserver-etcd-client.crt \\
      --key=${pki}/apiserver-etcd-client.key get "$from" /registry/secrets0 --limit=100 --hex |
      cut -c -4000 | HEX=$hex awk 'NR % 2 { key = $0; next } { print index($0, ENVIRON["HEX"]) == 1 ? "ours" : "other", key }') || exit 1
    count=0
    while read -r whose key; do
      [[ -n $key ]] || continue
      count=$((count + 1))
      printf -v from %b "$key"
      [[ $whose == ours ]] || echo "\${from#/registry/secrets/}"
    done <<<"$page"
    # A page begins with the last of the page before it.
    ((count == 100)) || return 0
  done
}

# Has the API server write the Secrets that stand on standard input, by a change that changes nothing. Prints those that it did not write.
write_anew() {
  sed "s|\\(.*\\)/\\(.*\\)|url = \\"$api/api/v1/namespaces/\\1/secrets/\\2\\"\\noutput = \\"/dev/null\\"|" |
    ask --parallel --parallel-max 4 --request PATCH --header 'Content-Type: application/merge-patch+json' --data '{}' \\
      --write-out '%{http_code} %{url} %{errormsg}\\n' --config - 2>/dev/null | grep -Ev '^(200|404) '
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
`,
} as const;
