import assert from "node:assert/strict";
import test from "node:test";
import "./dom.js";
import { serialize } from "./dom.js";
import { random } from "./random.js";
import { GrowingMarkdown, inlines, markdown } from "../src/markdown/blocks.js";
import { LinkifyIt } from "../src/markdown/links.js";
import { render } from "../src/markdown/render.js";

const labels = { copy: "Copy" };
const show = (tokens) => serialize(render(tokens, labels));
const html = (text) => show(markdown.parse(text, {}));

/** A text as it looks after it came in pieces. */
function grown(pieces) {
  const growing = new GrowingMarkdown();
  let done = "";
  let tail = "";
  for (const piece of pieces) {
    const now = growing.push(piece);
    done += show(inlines(now.done, growing.environment));
    tail = show(inlines(now.tail, growing.environment));
  }
  return done + tail;
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
    const pieces = [];
    for (let at = 0; at < text.length;) {
      const size = 1 + next(9);
      pieces.push(text.slice(at, at + size));
      at += size;
    }
    assert.equal(grown(pieces), html(text), JSON.stringify(text));
  }
});

test("a long answer is not parsed again and again", () => {
  const growing = new GrowingMarkdown();
  for (let line = 0; line < 500; line++) growing.push(`Paragraph ${line} with **some** text.\n\n`);
  assert.ok(growing.text.length - growing.from < 100);
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
