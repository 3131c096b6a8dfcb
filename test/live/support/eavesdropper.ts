import type { Machines } from "./machines.ts";
import type { SecretTexts } from "./secrets.ts";

/** The longest time that somebody listens. */
const mostSeconds = 300;

const stop = "/run/eavesdropper-stops";

/** Reads the command lines and environments of all processes on a machine, ten times a second. */
export class Eavesdropper {
  readonly #machines: Machines;
  readonly #name: string;
  readonly #heard: Promise<string>;

  constructor(machines: Machines, name: string) {
    this.#machines = machines;
    this.#name = name;
    const script = `rm -f ${stop}; perl -e '${listening}'`;
    this.#heard = machines.inside(name, script, "", { timeoutSeconds: mostSeconds + 60 });
    // It may fail before anybody asks.
    this.#heard.catch(() => {});
  }

  /** Ends it; returns each text once. */
  async stop(): Promise<string> {
    await this.#machines.inside(this.#name, `touch ${stop}`);
    const heard = await this.#heard;
    await this.#machines.inside(this.#name, `rm ${stop}`);
    return heard;
  }
}

const listening = `
my (%seen, $end);
$end = time + ${mostSeconds};
until (-e "${stop}" or time > $end) {
  for my $file (glob "/proc/[0-9]*/cmdline /proc/[0-9]*/environ") {
    local $/;
    open(my $handle, "<", $file) or next;
    my $text = <$handle>;
    $seen{$text} = 1 if defined $text;
  }
  select(undef, undef, undef, 0.1);
}
for my $text (keys %seen) { $text =~ tr/\\0/ /; print "$text\\n" }`;

/** The files of a machine that an ordinary user who knows their paths can read, and that hold a part of a secret. */
export async function readableFilesWith(
  machines: Machines,
  name: string,
  secrets: SecretTexts,
): Promise<string[]> {
  const folders = "/etc /opt /root /run /srv /tmp /usr/local /var";
  const nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
  const found = await machines.inside(
    name,
    `umask 077
    cat >/run/parts
    find ${folders} -path /opt/kthw-mirror -prune -o -type f -print0 |
      ${nobody} xargs -0 sh -c 'for file; do [ ! -r "$file" ] || printf "%s\\0" "$file"; done' sh |
      LC_ALL=C xargs -0 grep -laF --file=/run/parts || true
    rm /run/parts`,
    parts(secrets),
  );
  return found.split("\n").filter((path) => path !== "");
}

/** The secrets of which the journal or another log of a machine holds a part. */
export async function loggedSecrets(
  machines: Machines,
  name: string,
  secrets: SecretTexts,
): Promise<string[]> {
  const found = await machines.inside(
    name,
    `umask 077
    cat >/run/parts
    journalctl --sync
    { journalctl --no-pager --all; find /var/log -type f ! -name '*.journal' -exec cat {} +; } 2>/dev/null |
      LC_ALL=C grep -aoF --file=/run/parts || true
    rm /run/parts`,
    parts(secrets),
  );
  const texts = found.split("\n").filter((part) => part !== "");
  return [...new Set(texts.map((text) => secrets.get(text) ?? "a secret"))];
}

function parts(secrets: SecretTexts): string {
  return [...secrets.keys()].map((part) => `${part}\n`).join("");
}
