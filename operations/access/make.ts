/** The command line of a target of make for a stack, in this project's folder. */
export function makeFor(stack: string): (target: string) => string {
  const suffix = stack === "local" ? "" : ` STACK=${stack}`;
  return (target) => `make ${target}${suffix}`;
}
