// Formulas as rules of the parser: \(..\), \[..\] and $$..$$. One dollar is money, and code is never looked into.

const CLOSE = /** @type {Record<string, string>} */ ({ "\\(": "\\)", "\\[": "\\]", $$: "$$" });

/**
 * A formula on lines of its own. It ends at its closing mark or, unclosed, at an empty line, where it is shown as
 * it was written: so what follows it can never change what was before, and a stream may render as it arrives.
 * @param {any} state @param {number} startLine @param {number} endLine @param {boolean} silent
 */
function mathBlock(state, startLine, endLine, silent) {
  const lineText = (/** @type {number} */ line) =>
    state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);
  const open = lineText(startLine).slice(0, 2);
  if ((open !== "$$" && open !== "\\[") || state.sCount[startLine] - state.blkIndent >= 4) return false;
  const close = CLOSE[open];
  const lines = [];
  let closed = false;
  let line = startLine;
  for (; line < endLine && !closed; line++) {
    if (line > startLine && (state.isEmpty(line) || state.sCount[line] < state.blkIndent)) break;
    const text = line === startLine ? lineText(line).slice(2) : lineText(line);
    const end = text.indexOf(close);
    const ends = end >= 0 && text.slice(end + 2).trim() === "";
    // Text after a formula on its own line makes it a paragraph, where the inline rule finds the formula. Further down
    // it changes nothing: what a line is must not depend on lines that have not come yet.
    if (line === startLine && end >= 0 && !ends) return false;
    closed = ends;
    lines.push(closed ? text.slice(0, end) : text);
  }
  if (silent) return true;
  const token = state.push("math_block", "math", 0);
  token.content = lines.join("\n").trim();
  token.meta = { closed };
  token.markup = open;
  token.map = [startLine, line];
  state.line = line;
  return true;
}

/** @param {any} state @param {boolean} silent */
function mathInline(state, silent) {
  const open = state.src.slice(state.pos, state.pos + 2);
  const close = CLOSE[open];
  if (!close) return false;
  const end = state.src.indexOf(close, state.pos + 2);
  if (end < 0 || end >= state.posMax || state.src.slice(state.pos + 2, end).trim() === "") return false;
  if (!silent) {
    const token = state.push("math_inline", "math", 0);
    token.content = state.src.slice(state.pos + 2, end).trim();
    token.meta = { display: open !== "\\(" };
  }
  state.pos = end + 2;
  return true;
}

/** @param {import("markdown-it").MarkdownIt} markdown */
export function mathRules(markdown) {
  markdown.block.ruler.before("fence", "math_block", mathBlock, {
    alt: ["paragraph", "reference", "blockquote", "list"],
  });
  markdown.inline.ruler.before("escape", "math_inline", mathInline);
}
