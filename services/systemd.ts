type Section = Record<string, string | readonly string[]>;

/** Sections of a service's unit file; a list becomes one line per value. */
export interface Unit {
  readonly Unit: Section;
  readonly Service: Section;
  readonly Install?: Section;
}

/** Sections of the unit files of what runs now and then: a timer, and the service that the timer starts. */
type NowAndThen = Unit | (Omit<Unit, "Service"> & { readonly Timer: Section });

/** A unit file, sections and settings in the order given: https://www.freedesktop.org/software/systemd/man/systemd.unit.html */
export function unit(sections: Unit | NowAndThen): string {
  return Object.entries(sections)
    .map(([section, settings]: [string, Section]) =>
      [
        `[${section}]`,
        ...Object.entries(settings).flatMap(([key, value]) =>
          [value].flat().map((v) => `${key}=${v}`),
        ),
      ].join("\n"),
    )
    .join("\n\n")
    .concat("\n");
}

/** The setting that lets a service of type notify take longer to start on slow machines; on others systemd's own 90 s hold. */
export function startTimeout(facts: { readonly timeoutFactor: number }): Record<string, string> {
  return facts.timeoutFactor === 1 ? {} : { TimeoutStartSec: `${90 * facts.timeoutFactor}` };
}

/** Command line flags by name, without the leading dashes; a list is a flag that is given several times. */
export type Flags = Record<string, string | number | boolean | readonly string[]>;

/** A command for `ExecStart=` with one `--flag=value` a line; each is one argument, whatever the value. */
export function commandLine(program: string, flags: Flags): string {
  const words = Object.entries(flags).flatMap(([flag, value]) =>
    [value].flat().map((one) => word(`--${flag}=${one}`)),
  );
  return [program, ...words].join(" \\\n  ");
}

/**
 * Quotes a word where necessary, and escapes specifiers (%) and variables ($):
 * https://www.freedesktop.org/software/systemd/man/systemd.service.html#Command%20lines
 */
function word(text: string): string {
  const plain = text.replaceAll("%", "%%").replaceAll("$", "$$$$");
  if (!/[\s"'\\\p{Cc}]/u.test(text)) return plain;
  const escaped = plain
    .replaceAll(/["\\]/g, "\\$&")
    .replaceAll(/\p{Cc}/gu, (letter) => [...Buffer.from(letter)].map(hexadecimal).join(""));
  return `"${escaped}"`;
}

function hexadecimal(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
