import assert from "node:assert/strict";
import test from "node:test";
import { heat, scale } from "../src/inside/heat.js";
import { maskCsv, partOf, reach, reordered, share, shuffled, spans } from "../src/inside/layout.js";
import { grouped, summary } from "../src/inside/tokens.js";

const layout = {
  tokens: ["a", "[MASK]", "b", "[MASK]", "<s>", "x", "y", "<s>", "z"].map((text, id) => ({ text, id })),
  positions: [
    [0, 1, 2, 3, 1, 1, 1, 3, 3],
    [0, 0, 0, 0, 1, 2, 3, 1, 2],
  ],
  context: 4,
  mask_rule: "prefix",
};

test("spans begin where the second position begins anew, and stand at the blank's place", () => {
  assert.deepEqual(spans(layout), [
    { start: 4, end: 7, at: 1 },
    { start: 7, end: 9, at: 3 },
  ]);
  assert.deepEqual(spans({ ...layout, context: 0, mask_rule: "causal" }), []);
  assert.deepEqual(
    layout.tokens.map((_, index) => partOf(spans(layout), index)),
    [0, 0, 0, 0, 1, 1, 1, 2, 2],
  );
});

test("the context is seen by all, the spans only from later on", () => {
  assert.deepEqual(
    [0, 3, 4, 5, 8].map((row) => reach(layout, row)),
    [4, 4, 5, 6, 9],
  );
  assert.equal(reach({ ...layout, mask_rule: "causal" }, 0), 1);
  assert.equal(maskCsv(layout).split("\n")[4], "1,1,1,1,1,0,0,0,0");
});

test("a square of several tokens is seen in part", () => {
  const rows = [0, 1, 2].map((row) => [0, 1, 2].map((column) => share(layout, row, column, 4)));
  assert.deepEqual(rows, [
    [1, 0, 0],
    [1, 10 / 16, 0],
    [1, 1, 1],
  ]);
  assert.equal(share(layout, 3, 4, 1), 0);
});

test("spans in another order keep their positions and targets", () => {
  const other = reordered({ ...layout, targets: layout.tokens }, [1, 0]);
  assert.deepEqual(spans(other), [
    { start: 4, end: 6, at: 3 },
    { start: 6, end: 9, at: 1 },
  ]);
  assert.equal(other.tokens.map(({ text }) => text).join(" "), "a [MASK] b [MASK] <s> z <s> x y");
  assert.deepEqual(other.targets, other.tokens);
  assert.equal(reordered({ ...layout, context: 0, mask_rule: "causal" }, []).tokens.length, 9);
  assert.deepEqual(shuffled([0, 1]), [1, 0]);
  assert.notDeepEqual(shuffled([0, 1, 2]), [0, 1, 2]);
});

test("tokens that are parts of a character are one", () => {
  const bytes = [...new TextEncoder().encode("你")];
  const part = (one, logprob) => ({ token: "\ufffd", id: 1, logprob, bytes: one, top_logprobs: [] });
  const shown = grouped([
    { token: "a", id: 2, logprob: null, bytes: [97] },
    part(bytes.slice(0, 2), -1),
    part(bytes.slice(2), -2),
    part([255], -1),
  ]);
  assert.deepEqual(
    shown.map(({ text, logprob }) => [text, logprob]),
    [
      ["a", null],
      ["你", -3],
      ["\ufffd", -1],
    ],
  );
  assert.equal(summary(shown).count, 4);
  assert.ok(Math.abs(summary(shown).perplexity - Math.exp(4 / 3)) < 1e-12);
});

test("colors have sixteen steps on a fixed scale", () => {
  assert.equal(heat(0), "h h0");
  assert.equal(heat(-5), "h h8");
  assert.equal(heat(-99), "h h15");
  assert.equal(heat(null), "h");
  assert.equal(scale("rank", [])({ logprob: -1, rank: null }), "h rank3");
  assert.equal(scale("relative", [-1, -1])({ logprob: -1, rank: 1 }), "h h8");
});
