// A list that grows: items that are as they were keep their elements, so that a long one is not drawn again each time.
/** @typedef {import("markdown-it").Token} Token */

/** How many tokens the first block takes, if it is a list; else 0. @param {Token[]} tokens */
export function listLength(tokens) {
  const close = { bullet_list_open: "bullet_list_close", ordered_list_open: "ordered_list_close" }[tokens[0]?.type];
  return close ? tokens.findIndex((token) => token.level === 0 && token.type === close) + 1 : 0;
}

export class GrowingList {
  /** @param {Token[]} tokens of a list @param {(tokens: Token[]) => DocumentFragment} draw */
  constructor(tokens, draw) {
    this.draw = draw;
    this.start = tokens[0];
    this.element = /** @type {Element} */ (draw([tokens[0], /** @type {Token} */ (tokens.at(-1))]).firstChild);
    /** @type {string[]} what each item was drawn from */
    this.drawn = [];
  }

  /** Whether tokens are of this list, some time later. @param {Token[]} tokens */
  is(tokens) {
    return tokens[0]?.type === this.start.type && tokens[0].attrGet("start") === this.start.attrGet("start");
  }

  /** @param {Token[]} tokens @param {string} text that the tokens' line numbers count in */
  update(tokens, text) {
    const lines = text.split("\n");
    items(tokens).forEach((item, index) => {
      const [from, to] = item[0].map ?? [0, 0];
      const tight = item.some((token) => token.level === 2 && token.hidden);
      const source = `${tight} ${lines.slice(from, to).join("\n")}`;
      if (this.drawn[index] === source) return;
      this.drawn[index] = source;
      const element = this.draw(item);
      const old = this.element.children[index];
      if (old) old.replaceWith(element);
      else this.element.append(element);
    });
  }
}

/** The tokens of each item. @param {Token[]} tokens of a list @returns {Token[][]} */
function items(tokens) {
  /** @type {Token[][]} */
  const result = [];
  let from = 1;
  tokens.forEach((token, index) => {
    if (token.type !== "list_item_close" || token.level !== 1) return;
    result.push(tokens.slice(from, index + 1));
    from = index + 1;
  });
  return result;
}
