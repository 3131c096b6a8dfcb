const run = Number(process.env.KTHW_TEST_RUN ?? 0);
const suffix = run === 0 ? "" : `${run}`;

/** Ports on 127.0.0.1 from here on are the tests'. With KTHW_TEST_RUN=1 and so on, test runs beside each other do not meet. */
export const ownPorts = 26_000 + 700 * run;

/** The stack of the tests that use a whole cluster. */
export const liveStack = `live${suffix}`;

/** The stack of the tests of one machine. */
export const nodeStack = `node-test${suffix}`;
