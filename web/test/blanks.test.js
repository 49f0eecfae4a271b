import assert from "node:assert/strict";
import test from "node:test";
import { blanksOf, limits, mask, parse, withHint } from "../src/fill/source.js";
import {
  changed,
  filledText,
  fromAnswer,
  isStale,
  options,
  others,
  requestSegments,
  rescored,
  shares,
} from "../src/fill/filling.js";

test("blanks are underscores, full-width ones and empty brackets; a length may follow", () => {
  assert.deepEqual(parse("a ____ b ___{word}。春＿＿江（　）"), [
    { text: "a " },
    { blank: { id: "b1", hint: "" } },
    { text: " b " },
    { blank: { id: "b2", hint: "word" } },
    { text: "。春" },
    { blank: { id: "b3", hint: "" } },
    { text: "江" },
    { blank: { id: "b4", hint: "" } },
  ]);
  assert.deepEqual(parse("snake_case __init__ \\____ (a)"), [{ text: "snake_case __init__ ____ (a)" }]);
  assert.deepEqual(limits("30"), { max_tokens: 30 });
  assert.deepEqual(limits(""), {});
});

test("a length is written into the text", () => {
  assert.equal(withHint("\\____ ____ ____{word}", 1, "phrase"), "\\____ ____ ____{phrase}");
  assert.equal(withHint("____ ____{word}", 1, ""), "____ ____");
  assert.equal(blanksOf(withHint("____", 0, "12"))[0].hint, "12");
});

test("neighboring words become one blank", () => {
  assert.equal(
    mask("She ate an apple today", [
      [8, 10],
      [11, 16],
    ]),
    "She ate ____ today",
  );
  assert.equal(mask("春风又绿江南岸", [[3, 4]]), "春风又____江南岸");
  assert.equal(mask("ab", []), "ab");
});

const answer = {
  fillings: [
    {
      text: "",
      logprob: -1,
      blanks: [
        { id: "b1", text: "x", logprob: -0.5, tokens: [] },
        { id: "b2", text: "y", logprob: -0.5, tokens: [] },
      ],
    },
    {
      text: "",
      logprob: -3,
      blanks: [
        { id: "b1", text: "z", logprob: -1, tokens: [] },
        { id: "b2", text: "y", logprob: -2, tokens: [] },
      ],
    },
  ],
};

test("alternatives are merged by text, and a share is among those shown", () => {
  const blanks = fromAnswer(answer);
  assert.deepEqual(
    blanks.map((blank) => blank.options.map(({ text, times }) => [text, times])),
    [
      [
        ["x", 1],
        ["z", 1],
      ],
      [["y", 2]],
    ],
  );
  const [first, second] = shares(blanks[0].options);
  assert.ok(Math.abs(first + second - 1) < 1e-12 && Math.abs(first / second - Math.exp(0.5)) < 1e-12);
  assert.deepEqual(shares(options([{ text: "a", logprob: null }])), [0]);
});

test("a blank is stale when one that it was written after changes, and not before", () => {
  const blanks = fromAnswer(answer);
  assert.ok(!blanks.some((blank) => isStale(blanks, blank)));
  const after = changed(blanks, "b1", { text: "z" });
  assert.deepEqual(
    after.map((blank) => isStale(after, blank)),
    [false, true],
  );
  const later = changed(blanks, "b2", { text: "w" });
  assert.deepEqual(
    later.map((blank) => isStale(later, blank)),
    [false, false],
  );
  assert.notEqual(others(blanks, "b2"), others(after, "b2"));
});

test("a request names the blanks that stay open, and has the rest as text", () => {
  const segments = parse("a ____ b ____.");
  const blanks = fromAnswer(answer);
  assert.equal(filledText(segments, blanks), "a x b y.");
  assert.deepEqual(
    requestSegments(segments, blanks, (id) => (id === "b2" ? { id } : null)),
    [{ text: "a " }, { text: "x" }, { text: " b " }, { blank: { id: "b2" } }, { text: "." }],
  );
});

test("scores are put to their texts", () => {
  const list = rescored(
    options([
      { text: "a", logprob: -1 },
      { text: "b", logprob: -2 },
    ]),
    [{ text: "b", logprob: -0.1 }],
  );
  assert.deepEqual(
    list.map(({ text, logprob }) => [text, logprob]),
    [
      ["b", -0.1],
      ["a", -1],
    ],
  );
});
