import { randomBytes } from "node:crypto";
import { onMachine } from "../access/shell.ts";
import type { ShellMachine } from "../access/stack.ts";
import type { Collected } from "./collected.ts";
import { redact, withoutValues } from "./redact.ts";

/** How long a machine may take for all its files. */
const timeoutSeconds = 90;

/** Collects the journal, the units and the files of services from a machine, without secrets. */
export async function collectMachine(
  machine: ShellMachine,
  signal: AbortSignal,
): Promise<Collected> {
  // Random, so that no line of a journal looks like the mark.
  const mark = randomBytes(16).toString("hex");
  try {
    const { code, stdout, stderr, seconds } = await onMachine(machine, scriptOf(mark), {
      timeoutSeconds,
      signal,
    });
    const files = filesIn(stdout, mark);
    const broken = `${machine.name}: after ${seconds.toFixed(0)} s only the first ${files.size} files: ${stderr.trim()}`;
    return { files, missing: code === 0 ? [] : [redact(broken)] };
  } catch (error) {
    return { files: new Map(), missing: [redact((error as Error).message)] };
  }
}

/** Splits the output of a machine into files, each below a line with the mark and the file's name. */
function filesIn(text: string, mark: string): Map<string, string> {
  const [, ...parts] = text.split(`${mark} `);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf("\n");
      const [name, text] = [part.slice(0, end), part.slice(end + 1)];
      return [name, redact(name.startsWith("services/") ? withoutValues(text) : text)];
    }),
  );
}

// The paths and certificates of bundles are shown, since both are public; no key is read.
const scriptOf = (mark: string) => `
file() { # NAME COMMAND...
  printf '\\n%s %s\\n' ${mark} "$1"
  shift
  timeout --kill-after=1 20 "$@" 2>&1 || echo "(ended with status $?)"
}
shell() { file "$1" bash -c "$2"; }

shell system 'date --utc; uname -a; cat /etc/os-release; uptime; free -m; df -h'
file units systemctl list-units --all --full --no-pager --plain
shell network 'ip address; ip route; ss -tulnp'
for record in /var/lib/kthw/services/*/; do
  name=$(basename "$record")
  file "services/$name" cat "$record/applied"
  unit=$(sed -n 's/^unit //p' "$record/applied")
  [ -z "$unit" ] || file "status/$unit" systemctl status --no-pager --full --lines=0 "$unit"
done
for record in /var/lib/kthw/bundles/*/; do
  shell "bundles/$(basename "$record")" '
    while read -r path; do
      stat --dereference --format="%n %a %U:%G %s bytes" "$path"
      case $path in *.crt) openssl x509 -in "$path" -noout -subject -issuer -dates -ext subjectAltName ;; esac
    done <'"$record/placed"
done
if command -v crictl >/dev/null; then shell containers 'crictl pods; crictl ps --all; crictl images'; fi
file journal journalctl --no-pager --output=short-iso-precise --lines=20000
`;
