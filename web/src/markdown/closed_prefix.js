// How much of a paragraph reads the same whatever follows it.
import { inline } from "./blocks.js";

const LEAST = 100; // characters between two places that are tried
const LONGEST = 4000; // characters of a beginning, so that a mark that is never closed makes no more and more work
const TRIES = 5;
// A letter after a space or after Chinese punctuation: no mark stands there, and no address goes on over it.
const CUT = /(?<=[\s。！？；，、：])(?=[\p{L}\p{N}])/gu;
// What could close a mark that is open before it: emphasis, code, links with a title or without, formulas.
const CLOSERS = "a* a** a*** a_ a__ a___ a~~ a` a`` a``` a) a\") a') a](x) a](x \"y\") a\\) a\\] a$$";

/**
 * The length of the longest beginning, among some, in which every mark that was opened is closed; 0 if there is none.
 * @param {string} text @param {import("markdown-it").Env} environment
 */
export function closedPrefix(text, environment) {
  const cuts = [...text.slice(0, LONGEST).matchAll(CUT)].map(({ index }) => index);
  let tries = 0;
  let before = text.length;
  for (const cut of cuts.reverse()) {
    if (cut > before - LEAST || cut === 0) continue;
    before = cut;
    if (isClosed(text.slice(0, cut), environment)) return cut;
    if (++tries === TRIES) break;
  }
  return 0;
}

/** @param {string} text @param {import("markdown-it").Env} environment */
function isClosed(text, environment) {
  if (text.includes("````")) return false; // longer than those that close
  const alone = written(text, environment);
  return written(text + CLOSERS, environment) === alone + written(CLOSERS, environment);
}

/** What a text reads as, in a form that only adds to its end when plain text does. @param {string} text @param {any} environment */
const written = (text, environment) =>
  inline(text, environment)
    .map(({ type, content, attrs }) => (type === "text" ? content : `\u0000${type} ${content} ${attrs}\u0000`))
    .join("");
