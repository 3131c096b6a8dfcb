const run = Number(process.env.KTHW_TEST_RUN ?? 0);
const suffix = run === 0 ? "" : `${run}`;

/** The first of the tests' ports on 127.0.0.1; KTHW_TEST_RUN=1 and so on gives another run other ports and stacks. */
export const ownPorts = 26_000 + 700 * run;

/** The stack of tests with a whole cluster. */
export const liveStack = `live${suffix}`;

/** The stack of tests with one machine. */
export const nodeStack = `node-test${suffix}`;
