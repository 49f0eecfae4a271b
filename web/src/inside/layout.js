// The order in which a model of the family sees a text with blanks: pure facts, drawn elsewhere.

/**
 * @typedef {object} Layout
 * @property {{text: string, id: number}[]} tokens
 * @property {number[][]} positions one row, or two: in the text, and within a span
 * @property {number} context how many tokens stand before the spans
 * @property {({text: string, id: number} | null)[]} [targets]
 * @property {"prefix" | "causal"} mask_rule
 */
/** @typedef {{start: number, end: number, at: number}} Span tokens start..end-1 stand for the blank at position `at` of the text */

/**
 * How many tokens, from the first on, a token sees: the whole context, or only what stands before it, and itself.
 * @param {Layout} layout @param {number} row
 */
export const reach = (layout, row) => Math.max(row + 1, layout.mask_rule === "prefix" ? layout.context : 0);

/**
 * The share of the pairs of a square that see each other. A picture of many tokens has squares of several.
 * @param {Layout} layout @param {number} row @param {number} column of the square @param {number} by tokens of its side
 */
export function share(layout, row, column, by) {
  const last = layout.tokens.length;
  const [rows, columns] = [row, column].map((at) => Math.min(by, last - at * by));
  let seen = 0;
  for (let at = row * by; at < row * by + rows; at++)
    seen += Math.min(columns, Math.max(0, reach(layout, at) - column * by));
  return seen / (rows * columns);
}

/** The spans in the order in which they are written: each begins anew at 1 in the second row. @param {Layout} layout @returns {Span[]} */
export function spans(layout) {
  const { tokens, positions, context } = layout;
  if (layout.mask_rule === "causal") return [];
  const [outer, inner] = positions;
  /** @type {Span[]} */
  const result = [];
  for (let at = context; at < tokens.length; at++) {
    const last = result.at(-1);
    if (!last || (inner && inner[at] === 1)) result.push({ start: at, end: at + 1, at: outer[at] });
    else last.end = at + 1;
  }
  return result;
}

/** Which part a token belongs to: 0 the context, then the spans from 1. @param {Span[]} list @param {number} index */
export const partOf = (list, index) => list.findIndex(({ start, end }) => index >= start && index < end) + 1;

/**
 * The layout with its spans written in another order, as training draws one: positions stay with their tokens.
 * @param {Layout} layout @param {number[]} order of the spans @returns {Layout}
 */
export function reordered(layout, order) {
  const list = spans(layout);
  if (list.length === 0) return layout;
  const places = [
    ...Array.from({ length: layout.context }, (_, place) => place),
    ...order.flatMap((index) => layout.tokens.map((_, place) => place).slice(list[index].start, list[index].end)),
  ];
  const moved = (/** @type {any[]} */ row) => places.map((place) => row[place]);
  return {
    ...layout,
    tokens: moved(layout.tokens),
    positions: layout.positions.map(moved),
    targets: layout.targets && moved(layout.targets),
  };
}

/** Another order than the one given. @param {number[]} order of two spans or more @returns {number[]} */
export function shuffled(order) {
  const next = [...order];
  for (let at = next.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [next[at], next[other]] = [next[other], next[at]];
  }
  return String(next) === String(order) ? shuffled(order) : next;
}

/** The mask as a table of ones and zeros. @param {Layout} layout */
export const maskCsv = (layout) =>
  layout.tokens
    .map((_, row) => layout.tokens.map((__, column) => (column < reach(layout, row) ? 1 : 0)).join(","))
    .join("\n");
