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
 * Whether a token sees another: all see the whole context, or only what stands before.
 * @param {Layout} layout @param {number} row @param {number} column
 */
export const sees = (layout, row, column) =>
  column <= row || (layout.mask_rule === "prefix" && column < layout.context);

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

/** The mask as a table of ones and zeros. @param {Layout} layout */
export const maskCsv = (layout) =>
  layout.tokens
    .map((_, row) => layout.tokens.map((__, column) => (sees(layout, row, column) ? 1 : 0)).join(","))
    .join("\n");
