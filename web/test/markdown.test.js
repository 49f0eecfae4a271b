import assert from "node:assert/strict";
import test from "node:test";
import { count, serialize } from "./dom.js";
import { random } from "./random.js";
import { GrowingText, drawWhole } from "../src/markdown/growing_text.js";
import { LinkifyIt } from "../src/markdown/links.js";

const labels = { copy: "Copy" };

function html(text) {
  const place = document.createDocumentFragment();
  drawWhole(place, text, labels);
  return serialize(place);
}

/** A text as it looks after it came in pieces. */
function grown(pieces) {
  const place = document.createDocumentFragment();
  const text = new GrowingText(place, labels);
  for (const piece of pieces) text.push(piece);
  text.finish();
  return serialize(place);
}

/** A text in pieces of random lengths. */
function cut(text, longest, next) {
  const pieces = [];
  for (let at = 0; at < text.length; at += pieces.at(-1).length) pieces.push(text.slice(at, at + 1 + next(longest)));
  return pieces;
}

const LINES = [
  "# heading",
  "#",
  "a line of text",
  "**注意：**请看",
  "- item",
  "  - nested",
  "1. one",
  "10. ten",
  "> quote",
  ">",
  "```python",
  "```",
  "~~~",
  "    code",
  "---",
  "===",
  "| a | b |",
  "|---|--:|",
  "\\[",
  "\\]",
  "$$",
  "$$x$$",
  "x \\(y\\) $5 and $6",
  "- b",
  "\\[ z \\]",
  "* * *",
  "+ plus",
  "<div>",
  "![p](http://x/y)",
  "[a](http://x)",
  "\t tab",
  "text  ",
  "end\\",
];

test("a growing text looks as the whole one does", () => {
  const next = random(7);
  for (let round = 0; round < 3000; round++) {
    let text = "";
    for (let lines = 1 + next(14); lines > 0; lines--) text += LINES[next(LINES.length)] + (next(3) ? "\n" : "\n\n");
    assert.equal(grown(cut(text, 9, next)), html(text), JSON.stringify(text));
  }
});

const WORDS = [
  "word",
  "**bold**",
  "**",
  "*",
  "_it_",
  "snake_case",
  "__",
  "`code`",
  "`",
  "``",
  "[a](http://x)",
  "[",
  "](http://x)",
  "](",
  '"title")',
  "https://x.org/a",
  "\\(x\\)",
  "\\(",
  "\\)",
  "$$",
  "$5",
  "2 * 3",
  "~~",
  "&amp;",
  "<b>",
  "\\*",
  "end\\\nof",
  "two  \nlines",
  "中文，",
  "**重点：**请",
  "（x）",
  "。",
];

test("a paragraph without an end looks as the whole one does", () => {
  const next = random(11);
  for (let round = 0; round < 150; round++) {
    const some = Array.from({ length: 2 + next(5) }, () => WORDS[next(WORDS.length)]);
    let text = "";
    while (text.length < 4000) {
      text += next(4) ? "plain words, and more" : some[next(some.length)];
      text += next(8) ? " " : next(2) ? "\n" : "";
    }
    assert.equal(grown(cut(text, 200, next)), html(text), JSON.stringify(text));
  }
});

test("a long beginning that came at once, and a mark without an end, are grown from too", () => {
  const sentence = "A sentence with **bold words** and `code`, and more of it. ";
  for (const text of [sentence.repeat(300), `*never closed ${sentence.repeat(300)}`]) {
    assert.equal(grown([text.slice(0, 12_000), ...cut(text.slice(12_000), 50, random(3))]), html(text));
  }
});

/** The most nodes that a piece of 40 characters had drawn. */
function most(text) {
  const place = document.createDocumentFragment();
  const growing = new GrowingText(place, labels);
  const drawn = [];
  for (let at = 0; at < text.length; at += 40) {
    const before = count();
    growing.push(text.slice(at, at + 40));
    drawn.push(count() - before);
  }
  return Math.max(...drawn);
}

test("what a piece of a long answer draws does not grow with the answer", () => {
  const kinds = {
    paragraphs: "A paragraph with **some** text.\n\n",
    paragraph: "A sentence with **bold words**, some `code` and a thing (2 * 3). ",
    Chinese: "这是一句话，其中有**重点：**和`代码`，还有一些普通的文字。",
    lines: "A line with **bold words** and `code`.\n",
    list: "- item with **bold** words\n",
    nested: "  - nested with **bold** words\n",
    quote: "> quoted **words**\n>\n",
    table: "| row | **bold** | 1 |\n",
    code: "x = 1\n",
  };
  const starts = { nested: "- top\n", table: "| a | b | c |\n|---|---|--:|\n", code: "```python\n" };
  for (const [name, line] of Object.entries(kinds)) {
    const drawn = most((starts[name] ?? "") + line.repeat(20_000 / line.length));
    assert.ok(drawn < 120, `${name}: ${drawn}`); // of thousands
  }
});

test("Chinese emphasis next to punctuation", () => {
  assert.equal(html("**注意：**请看"), "<p><strong>注意：</>请看</>");
  assert.equal(html("**“重点”**内容"), "<p><strong>“重点”</>内容</>");
});

test("formulas have their marks; money and code have none", () => {
  assert.equal(html("\\(x\\)"), '<p><span class="math">x</></>');
  assert.equal(html("$$x$$"), '<div class="math display">x</>');
  assert.equal(html("\\[\na\n- b\n\\]"), '<div class="math display">a\n- b</>');
  assert.match(html("So \\[x\\], then"), /<p>So <div class="math display">x/);
  for (const text of ["$100 and $12.99", "$\\$0.60$"]) assert.doesNotMatch(html(text), /math/);
  assert.doesNotMatch(html("`\\(x\\)`\n\n```\n\\(x\\) $$y$$\n```"), /math/);
  assert.equal(html("\\[ open"), "<p>\\[open</>");
});

test("no markup of a text becomes an element, and no address but those of the web a link", () => {
  assert.equal(html("<img src=x onerror=alert(1)>"), "<p>&lt;img src=x onerror=alert(1)></>");
  for (const link of [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "/metrics",
    "//evil.example",
    "file:///etc",
  ]) {
    assert.doesNotMatch(html(`[a](${link}) <${link}>`), /<a/, link);
  }
  assert.equal(html("![alt](http://evil.example/x.png)"), "<p>[alt]</>");
  assert.match(html("[a](https://x)"), /rel="noopener noreferrer nofollow"/);
});

test("tables align by class and break lines in cells", () => {
  assert.match(html("|a|\n|-:|\n|b<br>c|"), /<td class="align-right">b<br><\/>c/);
  assert.doesNotMatch(html("|a|\n|-:|\n|b|"), /style/);
});

test("addresses in running text end before the sentence does", () => {
  const found = (text) => new LinkifyIt().match(text).map(({ url }) => url);
  assert.deepEqual(found("see https://x.org/a_(b). And（https://y.cn/路径）。"), [
    "https://x.org/a_(b)",
    "https://y.cn/路径",
  ]);
  assert.deepEqual(found("file.py and a@b.cn"), []);
  assert.match(html("https://x.org/a*"), /href="https:\/\/x.org\/a"/);
});

test("bombs end", () => {
  for (const bomb of [
    ">".repeat(5000),
    "[".repeat(20_000),
    "*a ".repeat(10_000),
    "`".repeat(20_000),
    "\\(".repeat(10_000),
    "$$".repeat(10_000),
    "https://x ".repeat(2000),
  ]) {
    const began = performance.now();
    html(bomb);
    assert.ok(performance.now() - began < 3000, bomb.slice(0, 5));
  }
});
