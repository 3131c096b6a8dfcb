/** Sections of a unit file; a list becomes one line per value. */
export interface Unit {
  readonly Unit: Record<string, string | readonly string[]>;
  readonly Service: Record<string, string | readonly string[]>;
  readonly Install: Record<string, string | readonly string[]>;
}

/** A unit file, sections and settings in the order given: https://www.freedesktop.org/software/systemd/man/systemd.unit.html */
export function unit(sections: Unit): string {
  return Object.entries(sections)
    .map(([section, settings]: [string, Unit["Unit"]]) =>
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

/** Command line flags by name, without their dashes. */
export type Flags = Record<string, string | number | boolean>;

/** A command for `ExecStart=` with one `--flag=value` a line; a `%` is not taken for a specifier. */
export function commandLine(program: string, flags: Flags): string {
  const words = Object.entries(flags).map(([flag, value]) =>
    `--${flag}=${value}`.replaceAll("%", "%%"),
  );
  return [program, ...words].join(" \\\n  ");
}
