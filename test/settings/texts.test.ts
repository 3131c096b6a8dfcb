import { itRefuses } from "../support/settings.ts";

const quote = "put it in quotes, or add --type string to pulumi config set";

describe("what the command line has made a number, true or false, and is a text", () => {
  itRefuses([
    [
      { "workerPools[0].labels": { rack: 12 } },
      `workerPools[0].labels.rack: not a text, got 12; ${quote} ("" for none)`,
    ],
    [{ "workerPools[0].name": 12 }, `workerPools[0].name: not a text, got 12; ${quote}`],
    [{ "controllers[0].name": true }, `controllers[0].name: not a text, got true; ${quote}`],
    [{ "hosts.jumpBox": { host: true } }, `hosts.jumpBox.host: not a text, got true; ${quote}`],
    [
      { "controllers[0].name": -1 },
      "controllers[0].name: not a DNS label, got -1; use up to 63 small letters, digits and inner dashes, like worker1",
    ],
  ]);
});
