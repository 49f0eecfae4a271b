// Text with blanks, as one writes it: "She ate ____ for ____{word}."

/** @typedef {{text: string} | {blank: {id: string, hint: string}}} Segment */

// Three or more underscores, two or more full-width ones, or empty full-width brackets; a length may follow in braces.
const MARKER = /(\\?)(_{3,}|＿{2,}|（[ \u3000]*）)(?:\{(word|phrase|sentence|paragraph|\d{1,4})\})?/gu;
export const BLANK = "____";
/** The most tokens that a blank of a length takes. */
const TOKENS = /** @type {Record<string, number>} */ ({ word: 4, phrase: 12, sentence: 48, paragraph: 160 });
export const HINTS = ["", ...Object.keys(TOKENS)];

/** @param {string} source @returns {Segment[]} blanks are numbered b1, b2, .. in their order */
export function parse(source) {
  /** @type {Segment[]} */
  const segments = [];
  let text = "";
  let from = 0;
  let count = 0;
  for (const match of source.matchAll(MARKER)) {
    text += source.slice(from, match.index);
    from = match.index + match[0].length;
    if (match[1]) {
      text += match[0].slice(1); // "\____" stands for itself
      continue;
    }
    if (text) segments.push({ text });
    text = "";
    segments.push({ blank: { id: `b${++count}`, hint: match[3] ?? "" } });
  }
  text += source.slice(from);
  if (text) segments.push({ text });
  return segments;
}

/** @param {string} source @returns {{id: string, hint: string}[]} */
export const blanksOf = (source) => parse(source).flatMap((segment) => ("blank" in segment ? [segment.blank] : []));

/** The source with another length for one blank. @param {string} source @param {number} index @param {string} hint */
export function withHint(source, index, hint) {
  let at = -1;
  return source.replace(MARKER, (whole, escape, marker) => {
    if (escape || ++at !== index) return whole;
    return hint ? `${marker}{${hint}}` : marker;
  });
}

/** @param {string} hint @returns {{max_tokens?: number}} */
export function limits(hint) {
  const tokens = TOKENS[hint] ?? Number(hint);
  return tokens > 0 ? { max_tokens: tokens } : {};
}

/** @typedef {[number, number]} Range of a text */

/** The text with each range replaced by a blank; what only spaces part becomes one. @param {string} text @param {Range[]} ranges */
export function mask(text, ranges) {
  let result = "";
  let from = 0;
  for (const [start, end] of merged(text, ranges)) {
    result += text.slice(from, start) + BLANK;
    from = end;
  }
  return result + text.slice(from);
}

/** @param {string} text @param {Range[]} ranges @returns {Range[]} */
export function merged(text, ranges) {
  /** @type {Range[]} */
  const result = [];
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && text.slice(last[1], start).trim() === "") last[1] = Math.max(last[1], end);
    else result.push([start, end]);
  }
  return result;
}

/** @param {string} text @param {string} locale @returns {{text: string, start: number, isWord: boolean}[]} */
export const words = (text, locale) =>
  [...new Intl.Segmenter(locale, { granularity: "word" }).segment(text)].map(({ segment, index, isWordLike }) => ({
    text: segment,
    start: index,
    isWord: isWordLike === true,
  }));
