import { itRefuses, noToken, token } from "../support/settings.ts";

describe("settings of who joins:", () => {
  describe("joining", () =>
    itRefuses([
      [
        { "workerPools[0].join": "token" },
        "workerPools[0].join: not a way to join, got token; use one of certificates, bootstrapToken, kubeadm",
      ],
      [
        { "workerPools[0].join": "kubeadm", "workerPools[0].discovery": "dns" },
        "workerPools[0].discovery: not a way of discovery, got dns; use one of token, file",
      ],
      [
        { "workerPools[0].discovery": "file" },
        "workerPools[0].discovery: not used by join certificates, got file; leave it out, or set join to kubeadm",
      ],
      [
        { "workerPools[0].kubelet.rotateCertificates": false },
        "workerPools[0].kubelet.rotateCertificates: decided by the program, got false; leave it out",
      ],
      ...["0a1b2c0123456789abcdef", "0A1B2C.0123456789ABCDEF", `${token}0`, ` ${token}`, 5].map(
        (wrong) =>
          [
            { joinTokens: [{ name: "lab", token: wrong }] },
            `joinTokens[0].token: ${noToken}`,
          ] as const,
      ),
      [
        { joinTokens: [{ name: "lab", tokn: "0a1b2c0123456789abcdef" }] },
        "joinTokens[0].tokn: unknown setting, got [secret]; did you mean token?",
        `joinTokens[0].token: ${noToken}`,
      ],
      [
        { joinTokens: { name: "lab", token: "0a1b2c-0123456789abcdef" } },
        "joinTokens: not a list, got [secret]; write its items below it, a dash before each",
      ],
      [
        { joinTokens: ["0a1b2c-0123456789abcdef"] },
        "joinTokens[0]: not a group of settings, got [secret]; write below it some of name, validityHours, token",
      ],
      [
        { joinTokens: [{ name: "lab", token: null }] },
        "joinTokens[0].token: not a bootstrap token, got nothing; use 6 and 16 small letters and digits with a dot between them",
      ],
      [
        { joinTokns: [{ name: "lab", token }] },
        'joinTokns: unknown setting, got [{"name":"lab","token":"[secret]"}]; did you mean joinTokens?',
      ],
      [
        { joinTokens: [{ name: "lab", validityHours: 0 }] },
        "joinTokens[0].validityHours: not a number of hours, got 0; use a whole number from 1 to 876000",
      ],
      [
        { joinTokens: [{ name: "lab" }, { name: "lab" }] },
        "joinTokens[1].name: the same as joinTokens[0].name, got lab; give each token a name of its own",
      ],
      [
        {
          joinTokens: [
            { name: "a", token },
            { name: "b", token: token.replace("f", "0") },
          ],
        },
        "joinTokens[1].token: the same before the dot as joinTokens[0].token, got 0a1b2c; choose another",
      ],
    ]));
});
