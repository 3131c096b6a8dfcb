/** An operation in a stack's state whose end Pulumi does not know. */
export interface PendingOperation {
  readonly type: string;
  readonly resource: { readonly urn: string; readonly type: string };
}

/** Packages whose resources may be created once more: nothing is there twice then. */
const repeatable = /^(command|kubernetes|pulumi|random|tls):/;

/** Whether the next update puts the operation right by itself. */
export function isRepeatable({ type, resource }: PendingOperation): boolean {
  // Of anything else the state has the resource, so that the next update sees it.
  return type !== "creating" || repeatable.test(resource.type);
}
