// What a model wrote into the blanks, and what was chosen of it. Nothing here changes a value: each choice is a new one.

/** @typedef {{token: string, logprob: number, top_logprobs?: {token: string, logprob: number}[]}} Token */
/** @typedef {{text: string, logprob: number | null, tokens: Token[], times: number, own: boolean}} Option */
/**
 * @typedef {object} Blank
 * @property {string} id
 * @property {Option[]} options best first
 * @property {string} text the chosen one's
 * @property {boolean} locked
 * @property {Record<string, string>} madeWith texts of the other blanks that it was written after
 * @property {string} scoredWith what stood in the other blanks when the options were scored; "" where each had its own
 */

/** What the answer holds for each blank. @param {any} answer of /infill @returns {Blank[]} */
export function fromAnswer(answer) {
  const [best] = answer.fillings;
  return best.blanks.map((/** @type {any} */ blank, /** @type {number} */ index) => ({
    id: blank.id,
    options: options(answer.fillings.map((/** @type {any} */ filling) => filling.blanks[index])),
    text: blank.text,
    locked: false,
    // A model writes blanks in turn: each sees those before it.
    madeWith: Object.fromEntries(best.blanks.slice(0, index).map((/** @type {any} */ other) => [other.id, other.text])),
    scoredWith: "",
  }));
}

/** Different texts, best first, each with how often it was drawn. @param {any[]} filled @returns {Option[]} */
export function options(filled) {
  /** @type {Map<string, Option>} */
  const byText = new Map();
  for (const { text, logprob, tokens } of filled) {
    const known = byText.get(text);
    if (known) known.times++;
    else byText.set(text, { text, logprob, tokens: tokens ?? [], times: 1, own: false });
  }
  return sorted([...byText.values()]);
}

/** @param {Option[]} list */
export const sorted = (list) => [...list].sort((a, b) => (b.logprob ?? -Infinity) - (a.logprob ?? -Infinity));

/** Each option's share among those shown. @param {Option[]} list @returns {number[]} */
export function shares(list) {
  const top = Math.max(...list.map(({ logprob }) => logprob ?? -Infinity));
  const weights = list.map(({ logprob }) => (logprob === null || top === -Infinity ? 0 : Math.exp(logprob - top)));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => (sum > 0 ? weight / sum : 0));
}

/** What stands in the other blanks, as one text to compare by. @param {Blank[]} blanks @param {string} id */
export const others = (blanks, id) => JSON.stringify(blanks.filter((blank) => blank.id !== id).map(({ text }) => text));

/** Whether a blank was written after a text that is no longer there. @param {Blank[]} blanks @param {Blank} blank */
export const isStale = (blanks, blank) =>
  Object.entries(blank.madeWith).some(([id, text]) => blanks.find((other) => other.id === id)?.text !== text);

/** @param {Blank[]} blanks @param {string} id @param {Partial<Blank>} change */
export const changed = (blanks, id, change) =>
  blanks.map((blank) => (blank.id === id ? { ...blank, ...change } : blank));

/** The same options with the scores of a candidate list. @param {Option[]} list @param {{text: string, logprob: number}[]} scores */
export function rescored(list, scores) {
  const byText = new Map(scores.map(({ text, logprob }) => [text, logprob]));
  return sorted(list.map((option) => ({ ...option, logprob: byText.get(option.text) ?? option.logprob })));
}

/**
 * The segments of a request in which all blanks but some are filled.
 * @param {import("./source.js").Segment[]} segments @param {Blank[]} blanks
 * @param {(id: string, hint: string) => object | null} open what the request says of a blank that stays one
 */
export const requestSegments = (segments, blanks, open) =>
  segments.map((segment) => {
    if ("text" in segment) return segment;
    const { id, hint } = segment.blank;
    const blank = open(id, hint);
    return blank ? { blank } : { text: blanks.find((one) => one.id === id)?.text ?? "" };
  });

/** The whole text as chosen. @param {import("./source.js").Segment[]} segments @param {Blank[]} blanks */
export const filledText = (segments, blanks) =>
  segments
    .map((segment) =>
      "text" in segment ? segment.text : (blanks.find(({ id }) => id === segment.blank.id)?.text ?? ""),
    )
    .join("");
