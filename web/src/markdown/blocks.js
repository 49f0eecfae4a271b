// Markdown that grows at its end. Blocks that can no longer change are given out once; only the tail is parsed again.
import MarkdownIt from "markdown-it";
import cjkFriendly from "markdown-it-cjk-friendly";
import { LinkifyIt } from "./links.js";
import { mathRules } from "./math_rules.js";

/** @typedef {import("markdown-it").Token} Token */

export const markdown = new MarkdownIt({ html: false, linkify: true, maxNesting: 40 }).use(cjkFriendly).use(mathRules);
markdown.linkify = /** @type {any} */ (new LinkifyIt());

/** @typedef {import("markdown-it").Env} Environment what a text defines, links above all */

/** The parser's first half: blocks, whose texts are not looked into yet. @param {string} text @param {Environment} environment */
export function blocks(text, environment) {
  const state = new markdown.core.State(text, markdown, environment);
  for (const rule of markdown.core.ruler.getRules("").slice(0, 2)) rule(state);
  return state.tokens;
}

/** Its second half: what stands in the text of a block. @param {string} text @param {Environment} environment @returns {Token[]} */
export function inline(text, environment) {
  const state = new markdown.core.State("", markdown, environment);
  const token = new state.Token("inline", "", 0);
  token.content = text;
  token.children = [];
  state.tokens = [token];
  for (const rule of markdown.core.ruler.getRules("").slice(2)) rule(state);
  return token.children;
}

/** A token of plain text. @param {string} text @returns {Token} */
export function plain(text) {
  const token = new (new markdown.core.State("", markdown, {}).Token)("text", "", 0);
  token.content = text;
  return token;
}

/** Splits a growing text into blocks that are finished and a tail. */
export class GrowingMarkdown {
  constructor() {
    this.text = "";
    this.from = 0; // where the tail starts
    /** @type {Environment} */
    this.environment = {};
  }

  /**
   * Adds text.
   * @param {string} piece
   * @returns {{done: Token[], tail: Token[]}} blocks that became final, and the rest as it looks now
   */
  push(piece) {
    this.text += piece;
    const before = this.tail;
    const now = blocks(before, this.environment);
    if (starts(now).length < 2) return { done: [], tail: now };
    // Only whole lines may close a block: "#" and then "#a" is no heading.
    const whole = before.slice(0, before.lastIndexOf("\n") + 1);
    const tokens = blocks(whole, this.environment);
    const last = starts(tokens).slice(1).at(-1);
    if (!last) return { done: [], tail: now };
    this.from += offsetOfLine(whole, last.line);
    return { done: tokens.slice(0, last.index), tail: blocks(this.tail, this.environment) };
  }

  get tail() {
    return this.text.slice(this.from);
  }

  /** Whether the text defines links, so that what was final may read otherwise now. */
  get definesLinks() {
    return Object.keys(this.environment.references ?? {}).length > 0;
  }
}

/** Where each block of the first level begins. @param {Token[]} tokens */
const starts = (tokens) =>
  tokens.flatMap((token, index) =>
    token.level === 0 && token.nesting >= 0 && token.map ? [{ index, line: token.map[0] }] : [],
  );

/** @param {string} text @param {number} line */
function offsetOfLine(text, line) {
  let at = 0;
  for (; line > 0; line--) at = text.indexOf("\n", at) + 1;
  return at;
}
