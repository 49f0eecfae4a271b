// Tokens as they are shown: those that are parts of one character are put together.

/**
 * @typedef {object} Shown
 * @property {string} text
 * @property {number | null} logprob of all its tokens
 * @property {number | null} rank among the most probable, from 1; null where it is not among them
 * @property {number[]} ids
 * @property {{token: string, logprob: number}[]} top of its first token
 */

/** @param {number[] | undefined} bytes */
function decode(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes ?? []));
  } catch {
    return null;
  }
}

/** @typedef {{token: string, logprob: number}} Scored */

/**
 * @param {{token: string, id: number, logprob: number | null, bytes?: number[], top_logprobs?: Scored[]}[]} tokens
 * @returns {Shown[]}
 */
export function grouped(tokens) {
  /** @type {Shown[]} */
  const result = [];
  for (let at = 0; at < tokens.length;) {
    const first = tokens[at];
    let count = 1;
    let text = first.bytes ? decode(first.bytes) : first.token;
    // A character takes four bytes at most; bytes that never become one are shown each by itself.
    for (let end = at + 2; text === null && end <= Math.min(at + 4, tokens.length); end++) {
      const bytes = tokens.slice(at, end).flatMap((token) => token.bytes ?? []);
      text = decode(bytes);
      if (text !== null) count = end - at;
    }
    const part = tokens.slice(at, at + count);
    const logprobs = part.map(({ logprob }) => logprob);
    const top = first.top_logprobs ?? [];
    const rank = top.findIndex(({ token }) => token === first.token) + 1;
    result.push({
      text: text ?? first.token,
      logprob: logprobs.includes(null)
        ? null
        : logprobs.reduce((sum, value) => /** @type {number} */ (sum) + /** @type {number} */ (value), 0),
      rank: count === 1 && rank > 0 ? rank : null,
      ids: part.map(({ id }) => id),
      top,
    });
    at += count;
  }
  return result;
}

/** @param {Shown[]} shown */
export function summary(shown) {
  const known = shown.filter(({ logprob }) => logprob !== null);
  const count = known.reduce((sum, { ids }) => sum + ids.length, 0);
  const total = known.reduce((sum, { logprob }) => sum + /** @type {number} */ (logprob), 0);
  return {
    count: shown.reduce((sum, { ids }) => sum + ids.length, 0),
    mean: count ? total / count : 0,
    perplexity: count ? Math.exp(-total / count) : 0,
  };
}
