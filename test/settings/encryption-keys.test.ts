import assert from "node:assert/strict";
import type { EncryptionKey } from "../../services/encryption-keys.ts";
import { encryptionStep } from "../../settings/encryption-step.ts";
import type { Left } from "../../settings/state.ts";
import { changed, itRefuses, settings } from "../support/settings.ts";

const key1: EncryptionKey = { name: "key1", provider: "aescbc" };
const key2: EncryptionKey = { name: "key2", provider: "secretbox" };
const key3: EncryptionKey = { name: "key3", provider: "aescbc" };
type Keys = readonly EncryptionKey[];

const urn = (name: string) => `urn:pulumi:local::kthw::kthw:index:ControlPlane$any::${name}`;
/** The state after a step has begun, and after one, the same or an earlier one, has ended. */
const stateAfter = (begun: [number, Keys], confirmed?: [number, Keys]): Left[] => {
  const left = (name: string, outputs: Left["outputs"]) => ({
    urn: urn(name),
    type: "pulumi:index:Stash",
    outputs,
  });
  const of = (name: string, [number, keys]: [number, Keys]) =>
    left(`encryption-keys:${name}`, { input: { keys, number } });
  return [
    left("encryption-key1", {}),
    of("begun", begun),
    ...(confirmed ? [of("confirmed", confirmed)] : []),
  ];
};
const ended = (number: number, ...keys: Keys) => stateAfter([number, keys], [number, keys]);

describe("the setting encryptionKeys", () => {
  it("takes keys of several providers, aescbc where none is named", () => {
    const { encryptionKeys } = settings(
      changed({ encryptionKeys: [{ name: "key2", provider: "secretbox" }, { name: "key1" }] }),
    );
    assert.deepEqual(encryptionKeys, [key2, key1]);
  });
  itRefuses([
    [{ encryptionKeys: [] }, "encryptionKeys: empty, got []; leave it out, or name a key"],
    [
      { encryptionKeys: [key1, { name: "key1", provider: "secretbox" }] },
      "encryptionKeys[1].name: the same as encryptionKeys[0].name, got key1; give each key a name of its own",
    ],
    [
      { encryptionKeys: [{ name: "key2", provider: "aesgcm" }] },
      "encryptionKeys[0].provider: not a provider of encryption, got aesgcm; use one of aescbc, secretbox",
    ],
    [
      { encryptionKeys: [{ name: "a:b" }] },
      "encryptionKeys[0].name: not a DNS label, got a:b; use up to 63 small letters, digits and inner dashes, like key2",
    ],
  ]);
});

describe("a step of the encryption keys", () => {
  const number = (state: Left[], ...keys: Keys) => {
    const { mistakes, ...step } = encryptionStep(state, keys);
    assert.deepEqual(mistakes, []);
    assert.deepEqual(step.keys, keys);
    return step.number;
  };
  const refusal = (state: Left[], ...keys: Keys) => encryptionStep(state, keys).mistakes;

  it("of a new cluster is the first, with any keys", () => {
    assert.equal(number([], key3, key2), 0);
  });
  it("of a cluster from before there were steps is the first, with the key that the cluster has", () => {
    const old = [{ urn: urn("encryption-key1"), type: "", outputs: {} }];
    assert.equal(number(old, key1), 0);
    assert.equal(number(old, key1, key2), 1);
    assert.deepEqual(refusal(old, key2, key1), [
      "encryptionKeys[0]: not known to every API server yet, got key2 (secretbox); put it behind key1 (aescbc) in one update, and first in the next",
    ]);
  });
  it("adds, promotes and retires, each with a number of its own", () => {
    assert.equal(number(ended(0, key1), key1), 0);
    assert.equal(number(ended(0, key1), key1, key2), 1);
    assert.equal(number(ended(1, key1, key2), key2, key1), 2);
    assert.equal(number(ended(2, key2, key1), key2), 3);
    assert.equal(number(ended(3, key2), key2), 3);
  });
  it("takes keys that encrypt nothing out, and puts others in", () => {
    assert.equal(number(ended(1, key1, key2), key1), 2);
    assert.equal(number(ended(1, key1, key2), key1, key3), 2);
    assert.equal(number(ended(1, key1, key2), key2, key3, key1), 2);
  });
  it("is refused with a first key that not every API server has", () => {
    for (const keys of [[key2], [key2, key1], [key3, key1]])
      assert.match(
        String(refusal(ended(0, key1), ...keys)),
        /^encryptionKeys\[0\]: not known to every API server yet, got .*; put it behind key1 \(aescbc\) in one update, and first in the next$/,
      );
    // Of the same name, but with another provider.
    assert.equal(refusal(ended(0, key1), { name: "key1", provider: "secretbox" }).length, 1);
  });
  it("is refused without the key that has encrypted the Secrets", () => {
    assert.deepEqual(refusal(ended(1, key1, key2), key2), [
      "encryptionKeys: without the key that has encrypted the Secrets, got key2 (secretbox); keep key1 (aescbc) behind key2 (secretbox) in this update, and leave it out in the next",
    ]);
  });

  describe("after one that was cut off", () => {
    const unfinished = "changed while an update of the keys was cut off";

    it("may be the same, or lead back, with a number of its own", () => {
      for (const [before, begun] of [
        [[key1], [key1, key2]],
        [
          [key1, key2],
          [key2, key1],
        ],
        [[key2, key1], [key2]],
      ] as [Keys, Keys][]) {
        const cut = stateAfter([5, begun], [4, before]);
        assert.equal(number(cut, ...begun), 5);
        assert.equal(number(cut, ...before), 6);
        // The way back was cut off, too.
        assert.equal(number(stateAfter([6, before], [4, before]), ...before), 6);
      }
    });
    it("is no other: some API servers may lack the new key, or still encrypt by the former one", () => {
      assert.deepEqual(refusal(stateAfter([1, [key1, key2]], [0, [key1]]), key2, key1), [
        `encryptionKeys: ${unfinished}, got key2 (secretbox), key1 (aescbc); finish the update to key1 (aescbc), key2 (secretbox) first, or go back to key1 (aescbc)`,
      ]);
      assert.deepEqual(refusal(stateAfter([2, [key2, key1]], [1, [key1, key2]]), key2), [
        `encryptionKeys: ${unfinished}, got key2 (secretbox); finish the update to key2 (secretbox), key1 (aescbc) first, or go back to key1 (aescbc), key2 (secretbox)`,
      ]);
    });
    it("is not the next one, though the records name the same keys after a way back that was cut off", () => {
      const back = stateAfter([3, [key1, key2]], [1, [key1, key2]]);
      assert.equal(refusal(back, key1).length, 1);
      assert.equal(refusal(back, key2, key1).length, 1);
    });
    it("is the same where the first update of the cluster was cut off", () => {
      assert.equal(number(stateAfter([0, [key1]]), key1), 0);
      assert.deepEqual(refusal(stateAfter([0, [key1]]), key2), [
        `encryptionKeys: ${unfinished}, got key2 (secretbox); finish the update to key1 (aescbc) first`,
      ]);
    });
  });
});
