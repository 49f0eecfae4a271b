// Draws the tokens of a text. As the text grows, what reads as it did keeps its elements: only the rest is drawn again.
import { inline, plain } from "./blocks.js";
import { closedPrefix } from "./closed_prefix.js";
import { codeBlock, leaf, opened } from "./render.js";

/** @typedef {import("markdown-it").Token} Token */
/** @typedef {import("markdown-it").Env} Environment */
/** @typedef {import("./render.js").Labels} Labels */

const SLICE = 1000; // characters of a paragraph that come before it is asked how much of it is final

/** A token and what is inside it. */
export class Branch {
  /** @param {Token} token */
  constructor(token) {
    this.token = token;
    /** @type {Branch[]} */
    this.children = [];
    /** Whether it is code that more may come to: it is shown without its colors. */
    this.open = false;
    /** @type {Node | null} where the children are drawn */
    this.inner = null;
    /** @type {Text | null} what is added to when the text grows */
    this.text = null;
    /** @type {Node | null} the parent's last node after this was drawn */
    this.last = null;
    // Of a paragraph: how much of its text is final, how many children that is, the plain text behind them that a later
    // one goes on from, and the length when that was asked.
    this.closed = { length: 0, count: 0, lead: "", asked: 0 };
  }
}

/** Tokens as a tree; a paragraph of a tight list has no element, so its text is its parent's. @param {Token[]} tokens */
export function branches(tokens) {
  /** @type {Branch[]} */
  const top = [];
  const open = [top];
  for (const token of tokens) {
    const siblings = /** @type {Branch[]} */ (open.at(-1));
    if (token.nesting === -1) {
      open.pop();
    } else if (token.hidden) {
      open.push(siblings);
    } else {
      const branch = new Branch(token);
      siblings.push(branch);
      if (token.nesting === 1) open.push(branch.children);
    }
  }
  return top;
}

const isCode = (/** @type {Token} */ token) => token.type === "fence" || token.type === "code_block";

/** Marks the code at the very end. @param {Branch[]} list */
export function markOpen(list) {
  for (let last = list.at(-1); last; last = last.children.at(-1)) last.open = isCode(last.token);
}

/** The same but for their texts. @param {Token} a @param {Token} b */
const alike = (a, b) =>
  a.type === b.type &&
  a.tag === b.tag &&
  a.markup === b.markup &&
  a.info === b.info &&
  String(a.attrs) === String(b.attrs) &&
  a.meta?.closed === b.meta?.closed &&
  a.meta?.display === b.meta?.display;

export class Reconciler {
  /** @param {Environment} environment @param {Labels} labels */
  constructor(environment, labels) {
    this.environment = environment;
    this.labels = labels;
  }

  /**
   * Makes what stands in `parent` behind the node `after` show `next`, where it shows `old`.
   * @param {Node} parent @param {Branch[]} old @param {Branch[]} next @param {Node | null} [after]
   */
  update(parent, old, next, after = null) {
    let kept = 0;
    while (kept < Math.min(old.length, next.length)) {
      if (!this.keep(parent, old[kept], next[kept], kept === old.length - 1, after)) break;
      after = next[kept++].last;
    }
    while (parent.lastChild && parent.lastChild !== after) parent.removeChild(parent.lastChild);
    for (const branch of next.slice(kept)) {
      this.draw(parent, branch);
      branch.last = parent.lastChild;
    }
  }

  /**
   * Shows a token by the elements of an earlier one, if it can.
   * @param {Node} parent @param {Branch} old @param {Branch} next
   * @param {boolean} isLast whether nothing of the parent stands behind the old one @param {Node | null} after
   */
  keep(parent, old, next, isLast, after) {
    if (old === next) return true;
    if (!alike(old.token, next.token) || old.open !== next.open) return false;
    const [before, now] = [old.token.content, next.token.content];
    next.inner = old.inner;
    next.text = old.text;
    next.last = old.last;
    if (next.token.type === "inline" && before === now) {
      next.children = old.children;
      next.closed = old.closed;
    } else if (next.token.type === "inline") {
      if (!isLast) return false;
      this.grow(next, old);
      this.update(parent, old.children, next.children, after);
      next.last = parent.lastChild;
    } else if (old.inner) {
      this.update(old.inner, old.children, next.children);
    } else if (before !== now) {
      if (!old.text || !now.startsWith(before)) return false;
      old.text.appendData(now.slice(before.length));
    }
    return true;
  }

  /** @param {Node} parent @param {Branch} branch */
  draw(parent, branch) {
    const { token } = branch;
    branch.text = null;
    if (token.type === "inline") {
      branch.children = this.inside(token.content);
      this.update(parent, [], branch.children, parent.lastChild);
    } else if (token.nesting === 1) {
      const [outer, inner] = opened(token);
      this.update(inner, [], branch.children);
      parent.appendChild(outer);
      branch.inner = inner;
    } else if (branch.open) {
      branch.text = document.createTextNode(token.content);
      parent.appendChild(codeBlock(token, this.labels, branch.text));
    } else {
      const inCell = /^t[dh]$/i.test(/** @type {Element} */ (parent).tagName ?? "");
      const node = parent.appendChild(leaf(token, this.labels, inCell));
      if (token.type === "text" && !inCell) branch.text = /** @type {Text} */ (node);
    }
  }

  /** @param {string} text of a paragraph @param {string} [lead] plain text before it */
  inside(text, lead = "") {
    const tokens = inline(text, this.environment);
    if (lead && tokens[0]?.type === "text") tokens[0].content = lead + tokens[0].content;
    else if (lead) tokens.unshift(plain(lead));
    return branches(tokens);
  }

  /** Looks into a paragraph that was shorter before, where it is not final. @param {Branch} next @param {Branch} old */
  grow(next, old) {
    const { content } = next.token;
    const same = content.startsWith(old.token.content.slice(0, old.closed.length));
    const { length, count, lead, asked } = same ? old.closed : new Branch(next.token).closed;
    next.closed = { length, count, lead, asked };
    next.children = old.children.slice(0, count);
    if (content.length >= asked + SLICE) {
      next.closed.asked = content.length;
      this.close(next, closedPrefix(content.slice(length), this.environment));
    }
    next.children.push(...this.inside(content.slice(next.closed.length), next.closed.lead));
  }

  /** Makes more of a paragraph final. @param {Branch} branch @param {number} more characters */
  close({ token, children, closed }, more) {
    if (more === 0) return;
    children.push(...this.inside(token.content.slice(closed.length, closed.length + more), closed.lead));
    const last = children.at(-1)?.token;
    closed.lead = last?.type === "text" ? last.content : "";
    if (closed.lead) children.pop();
    closed.length += more;
    closed.count = children.length;
  }
}
