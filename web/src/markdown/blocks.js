// Markdown that grows at its end. Blocks that can no longer change are given out once; only the tail is parsed again.
import MarkdownIt from "markdown-it";
import cjkFriendly from "markdown-it-cjk-friendly";
import { LinkifyIt } from "./links.js";
import { mathRules } from "./math_rules.js";

/** @typedef {import("markdown-it").Token} Token */

export const markdown = new MarkdownIt({ html: false, linkify: true, maxNesting: 40 }).use(cjkFriendly).use(mathRules);
markdown.linkify = /** @type {any} */ (new LinkifyIt());

/** The start lines of the blocks at the top level. @param {Token[]} tokens */
const starts = (tokens) => tokens.filter((token) => token.level === 0 && token.nesting >= 0 && token.map).map((token) => /** @type {any} */ (token.map)[0]);

/** Splits a growing text into blocks that are finished and a tail. */
export class GrowingMarkdown {
  constructor() {
    this.text = "";
    this.from = 0; // where the tail starts
  }

  /**
   * Adds text.
   * @param {string} piece
   * @returns {{done: Token[], tail: Token[]}} what became final, and the rest as it looks now
   */
  push(piece) {
    this.text += piece;
    const tail = this.text.slice(this.from);
    // Only whole lines may close a block: "#" and then "#a" is no heading.
    const whole = tail.slice(0, tail.lastIndexOf("\n") + 1);
    const tokens = markdown.parse(whole, {});
    const lines = starts(tokens);
    /** @type {Token[]} */
    let done = [];
    const last = lines.at(-1);
    if (lines.length > 1 && last !== undefined) {
      done = tokens.slice(0, tokens.findIndex((token) => token.level === 0 && token.map?.[0] === last));
      this.from += offsetOfLine(whole, last);
    }
    return { done, tail: markdown.parse(this.text.slice(this.from), {}) };
  }

  /** The whole text as one: a link may be defined after it was used. @returns {Token[]} */
  full() {
    return markdown.parse(this.text, {});
  }
}

/** @param {string} text @param {number} line */
function offsetOfLine(text, line) {
  let at = 0;
  for (; line > 0; line--) at = text.indexOf("\n", at) + 1;
  return at;
}
