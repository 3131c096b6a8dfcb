/** Parts of the kernel without which a machine is refused before anything is placed there. */
export interface KernelNeed {
  /** What needs the parts, in the words of the settings. */
  readonly by: string;
  /** The option of the kernel's configuration for each module, by the module's name. */
  readonly modules: Readonly<Record<string, string>>;
  /** What to do about a machine without them. */
  readonly todo: string;
}

/**
 * The lines of a POSIX shell that print what services need of the kernel and a machine's lacks, and fail then; nothing for services
 * without such needs. A part may be loaded, be a module that can be loaded, or be built in; a container sees only the first and the last.
 */
export function kernelCheck(
  services: readonly { readonly kernel?: readonly KernelNeed[] }[],
): string {
  const needs = services.flatMap(({ kernel = [] }) => kernel);
  if (needs.length === 0) return "";
  const lines = needs.map(({ by, modules, todo }) => {
    const pairs = Object.entries(modules).map(([module, option]) => `${module}:${option}`);
    return `look "${by}" "${todo}" ${pairs.join(" ")}`;
  });
  return [kernelLook, ...lines, 'test -z "$refused"'].join("\n");
}

const kernelLook = `refused=
has() {
  test -e "/sys/module/$1" || modprobe --quiet --dry-run "$1" 2>/dev/null ||
    { zcat /proc/config.gz; cat "/boot/config-$(uname -r)"; } 2>/dev/null | grep -q "^CONFIG_$2=[ym]"
}
look() {
  by=$1 todo=$2 missing=
  shift 2
  for part; do has "\${part%:*}" "\${part#*:}" || missing="$missing \${part%:*}"; done
  test -z "$missing" || {
    echo "$(uname -n): its kernel lacks what $by needs, got $(uname -r) without$missing; $todo" >&2
    refused=yes
  }
}`;
