/** A file or folder on a machine, after following links. */
export interface FoundFile {
  readonly mode: number;
  /** User and group. */
  readonly owner: string;
}

/** What a machine tells of itself: nothing of it is a secret. */
export interface Found {
  readonly files: ReadonlyMap<string, FoundFile>;
  /** The flags of each running service, without leading dashes; a service that does not run is missing. */
  readonly flags: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** SHA-256 of files by path. */
  readonly sums: ReadonlyMap<string, string>;
  /** The kinds of the providers that encrypt secrets in etcd, in their order. */
  readonly providers: readonly string[];
  /** The audit policy, YAML. */
  readonly auditPolicy: string;
  /** The configuration with which kube-proxy runs, as JSON. */
  readonly kubeProxy: string;
}

/** What there is to know of a node: what its machine tells, and the configuration with which its kubelet runs. */
export interface FoundNode extends Found {
  /** The fields of KubeletConfiguration, defaults included. */
  readonly kubelet: Readonly<Record<string, unknown>>;
}

/** A bash script that prints what `readFound` reads, and changes nothing. No key, and no text that holds one, is printed. */
export const script = `
find -L /etc/kubernetes /etc/cni/net.d /var/lib/cni/networks /var/lib/kubelet/pki -printf 'file\\t%p\\t%m\\t%u:%g\\n' 2>/dev/null
find -L /etc/systemd/system/*.service /var/lib/kubelet/*.yaml /var/lib/kube-proxy/* /var/lib/etcd -maxdepth 0 \\
  -printf 'file\\t%p\\t%m\\t%u:%g\\n' 2>/dev/null
for service in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do
  pid=$(systemctl show --property=MainPID --value "$service.service")
  [ "\${pid:-0}" = 0 ] || printf 'flags\\t%s\\t%s\\n' "$service" "$(tr '\\0\\n' '\\t ' <"/proc/$pid/cmdline")"
done
for path in /etc/kubernetes/pki/ca.crt /etc/kubernetes/pki/etcd/ca.crt; do
  [ ! -e $path ] || printf 'sum\\t%s\\t%s\\n' $path "$(sha256sum <$path)"
done
[ ! -e /etc/kubernetes/encryption.yaml ] ||
  sed -En 's/^ *- (aescbc|aesgcm|identity|kms|secretbox):.*/provider\\t\\1/p' /etc/kubernetes/encryption.yaml
[ ! -e /etc/kubernetes/audit-policy.yaml ] || printf 'audit\\t%s\\n' "$(base64 --wrap=0 /etc/kubernetes/audit-policy.yaml)"
printf 'proxy\\t%s\\n' "$(curl --silent --max-time 5 http://127.0.0.1:10249/configz | base64 --wrap=0)"
exit 0
`;

/** Reads the output of the script. */
export function readFound(text: string): Found {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const all = (word: string) =>
    lines.filter(([first]) => first === word).map(([, ...rest]) => rest);
  const decoded = (word: string) => Buffer.from(all(word)[0]?.[0] ?? "", "base64").toString();
  return {
    files: new Map(
      all("file").map(([path, mode, owner]) => [
        path!,
        { mode: Number.parseInt(mode!, 8), owner: owner! },
      ]),
    ),
    flags: new Map(all("flags").map(([service, ...words]) => [service!, flagsIn(words)])),
    sums: new Map(all("sum").map(([path, sum]) => [path!, sum!])),
    providers: all("provider").map(([kind]) => kind!),
    auditPolicy: decoded("audit"),
    kubeProxy: decoded("proxy"),
  };
}

function flagsIn(words: readonly string[]): Map<string, string> {
  return new Map(
    words.flatMap((word) => {
      const [, flag, value = "true"] = /^--([^=]+)(?:=(.*))?$/.exec(word) ?? [];
      return flag === undefined ? [] : [[flag, value] as const];
    }),
  );
}
