import { itRefuses, worker1 } from "../support/settings.ts";

describe("settings of machines:", () => {
  describe("numbers of machines", () =>
    itRefuses([
      [{ controllers: [] }, "controllers: no machine, got nothing; list one, three or five"],
      [
        { "controllers[2]": undefined },
        "controllers: an even number of etcd members, got 2; list 1 or 3, since an even number survives no more failures than one less",
      ],
    ]));

  describe("roles of machines", () =>
    itRefuses([
      [
        { "workerPools[0].machines": [] },
        "workerPools[0].machines: no machine, got nothing; list one, or leave the pool out",
      ],
      [
        { "workerPools[1]": { name: "more" } },
        "workerPools[1].machines: no machine, got nothing; list one, or leave the pool out",
      ],
      [
        {
          [`${worker1}.name`]: "cp1",
          [`${worker1}.address`]: "10.240.0.11",
          [`${worker1}.podCidr`]: "10.200.11.0/24",
        },
        `${worker1}: the same machine as controllers[0], got cp1; leave it in one place`,
      ],
    ]));
});
