// Colors for probabilities: sixteen classes, so that no style is ever written as text.

export const STEPS = 16;
const WIDEST = 10; // nats: a token of probability 0.00005

/** The class for a surprise from 0 to 1. @param {number} share */
const step = (share) => `h h${Math.min(STEPS - 1, Math.max(0, Math.floor(share * STEPS)))}`;

/** The class of a log-probability, on a scale that is the same for every text. @param {number | null} logprob */
export const heat = (logprob) => (logprob === null ? "h" : step(-logprob / WIDEST));

/**
 * A function from tokens to classes.
 * @param {"absolute" | "relative" | "rank"} mode
 * @param {(number | null)[]} logprobs of the whole text
 * @returns {(token: {logprob: number | null, rank: number | null}) => string}
 */
export function scale(mode, logprobs) {
  if (mode === "absolute") return ({ logprob }) => heat(logprob);
  if (mode === "rank")
    return ({ logprob, rank }) =>
      logprob === null ? "h" : `h rank${rank === null ? 3 : rank === 1 ? 0 : rank <= 3 ? 1 : 2}`;
  const known = logprobs.filter((value) => value !== null);
  const mean = known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
  const deviation =
    Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, known.length)) || 1;
  return ({ logprob }) => (logprob === null ? "h" : step(0.5 - (logprob - mean) / (5 * deviation)));
}
