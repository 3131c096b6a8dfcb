import assert from "node:assert/strict";
import fc from "fast-check";
import {
  encloses,
  enclosingCidr,
  formatAddress,
  formatCidr,
  holds,
  lastOf,
  nthAddress,
  overlap,
  parseAddress,
  parseCidr,
  sizeOf,
} from "../../settings/ipv4.ts";

describe("IPv4", () => {
  const address = fc.nat({ max: 2 ** 32 - 1 });
  const cidr = fc
    .tuple(address, fc.integer({ min: 0, max: 32 }))
    .map(([address, prefix]) => enclosingCidr(`${formatAddress(address)}/${prefix}`)!);

  it("addresses survive being written and read", () =>
    fc.assert(fc.property(address, (n) => assert.equal(parseAddress(formatAddress(n)), n))));

  it("networks survive being written and read", () =>
    fc.assert(fc.property(cidr, (c) => assert.deepEqual(parseCidr(formatCidr(c)), c))));

  it("a network holds exactly the addresses from its first to its last", () =>
    fc.assert(
      fc.property(cidr, address, (c, n) => {
        assert.equal(lastOf(c) - c.first + 1, sizeOf(c));
        assert.equal(holds(c, n), c.first <= n && n <= lastOf(c));
        assert.deepEqual(
          enclosingCidr(`${formatAddress(n)}/${c.prefix}`)?.first === c.first,
          holds(c, n),
        );
      }),
    ));

  it("a network is written by its first address only", () =>
    fc.assert(
      fc.property(cidr, address, (c, n) => {
        const text = `${formatAddress(n)}/${c.prefix}`;
        assert.equal(parseCidr(text) !== undefined, n % sizeOf(c) === 0);
      }),
    ));

  it("networks overlap when one encloses the other, and else are apart", () =>
    fc.assert(
      fc.property(cidr, cidr, (a, b) => {
        const apart = lastOf(a) < b.first || lastOf(b) < a.first;
        assert.equal(overlap(a, b), !apart);
        assert.equal(overlap(a, b), overlap(b, a));
        assert.equal(encloses(a, b), overlap(a, b) && a.prefix <= b.prefix);
      }),
    ));

  it("halves of a network are apart and in it", () =>
    fc.assert(
      fc.property(
        cidr.filter(({ prefix }) => prefix < 32),
        ({ first, prefix }) => {
          const half = { first, prefix: prefix + 1 };
          const other = { first: lastOf(half) + 1, prefix: prefix + 1 };
          assert.ok(!overlap(half, other));
          assert.ok(encloses({ first, prefix }, half) && encloses({ first, prefix }, other));
        },
      ),
    ));

  it("the nth address is in the network, and no other exists", () =>
    fc.assert(
      fc.property(cidr, fc.integer({ min: -2, max: 2 ** 32 }), (c, n) => {
        if (n < 0 || n >= sizeOf(c)) assert.throws(() => nthAddress(c, n), RangeError);
        else assert.equal(parseAddress(nthAddress(c, n)), c.first + n);
      }),
    ));

  it("nothing else parses", () => {
    for (const text of [
      "",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.-4",
      "1.2.3.4 ",
      "::1",
    ]) {
      assert.equal(parseAddress(text), undefined, text);
    }
    for (const text of [
      "1.2.3.4",
      "1.2.3.0/",
      "1.2.3.0/024",
      "1.2.3.0/33",
      "1.2.3.0/24/8",
      "1.2.3/24",
    ]) {
      assert.equal(parseCidr(text), undefined, text);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const n = parseAddress(text);
        assert.ok(n === undefined || formatAddress(n) === text);
      }),
    );
  });
});
