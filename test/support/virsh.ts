import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** Stands for libvirt's command line: a program that says what a test wants it to say, in a folder of its own. */
export class FakeVirsh {
  readonly folder = mkdtempSync(path.join(tmpdir(), "kthw-virsh-"));
  readonly #path = process.env.PATH;

  constructor() {
    const bin = path.join(this.folder, "bin");
    mkdirSync(bin);
    // Each call is noted; the answer to one is in the file that is named like its words.
    const script = `#!/bin/bash
shift 3
echo "$*" >>"${this.folder}/calls"
words="$*"
answer="${this.folder}/\${words// /_}"
[ ! -e "$answer.failure" ] || { cat "$answer.failure" >&2; exit 1; }
[ ! -e "${this.folder}/failure" ] || { cat "${this.folder}/failure" >&2; exit 1; }
[ -e "$answer" ] || { echo "error: metadata not found: Requested metadata element is not present" >&2; exit 1; }
cat "$answer"
`;
    writeFileSync(path.join(bin, "virsh"), script);
    chmodSync(path.join(bin, "virsh"), 0o755);
    process.env.PATH = `${bin}:${this.#path}`;
    this.answers({});
  }

  /** What runs: the id that was noted with each domain, or an empty text for none. */
  answers(domains: Readonly<Record<string, string>>, networks: readonly string[] = []): void {
    rmSync(path.join(this.folder, "failure"), { force: true });
    this.#write("net-list --name", `${networks.join("\n")}\n`);
    this.#write("list --name --state-running", `${Object.keys(domains).join("\n")}\n`);
    for (const [name, boot] of Object.entries(domains))
      if (boot)
        this.#write(`metadata ${name} --uri urn:kthw:boot --live`, `<boot id="${boot}"/>\n`);
  }

  /** Makes every call fail with this text. */
  fails(text: string): void {
    writeFileSync(path.join(this.folder, "failure"), `${text}\n`);
  }

  /** Makes the call with these words fail with this text. */
  failsAt(words: string, text: string): void {
    this.#write(`${words}.failure`, `${text}\n`);
  }

  /** All calls so far, without the words that choose the connection. */
  get calls(): string[] {
    return readFileSync(path.join(this.folder, "calls"), "utf8").trim().split("\n");
  }

  remove(): void {
    if (this.#path !== undefined) process.env.PATH = this.#path;
    rmSync(this.folder, { recursive: true });
  }

  #write(words: string, text: string): void {
    writeFileSync(path.join(this.folder, words.replaceAll(" ", "_")), text);
  }
}
