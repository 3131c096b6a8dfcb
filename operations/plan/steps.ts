/** A resource in the output of `pulumi stack export` and `pulumi preview --json`. */
export interface ResourceState {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** URNs of the resources that must be done first. */
  readonly dependencies?: readonly string[];
  /** URNs of the resources that an input comes from, by the input's name. */
  readonly propertyDependencies?: Readonly<Record<string, readonly string[]>>;
}

/** A step of a preview: the change of one resource. */
export interface PreviewStep {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: ResourceState;
  readonly newState?: ResourceState;
  /** Names of the inputs that differ. */
  readonly diffReasons?: readonly string[];
}

/** The text of a preview for a value that is not known before the update. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The name of a resource in the program. */
export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** The environment of a command, by the names of the variables. */
export function environmentOf(state: ResourceState | undefined): Readonly<Record<string, string>> {
  return (state?.inputs?.["environment"] ?? {}) as Record<string, string>;
}

/** The steps of a preview that change something. */
export function effective(steps: readonly PreviewStep[]): PreviewStep[] {
  return steps.filter(({ op }) => !["same", "read", "refresh"].includes(op));
}

/** A text among the inputs of a resource; empty if there is none. */
export function input(state: ResourceState | undefined, name: string): string {
  const value = state?.inputs?.[name];
  return typeof value === "string" ? value : "";
}
