// The text with its blanks, what fills them, and the choices among it.
import { computed, signal } from "@preact/signals";
import { t } from "../lib/i18n.js";
import { notify, spoken } from "../ui/state.js";
import { changed, filledText, isStale, sorted } from "./filling.js";
import { mask, parse } from "./source.js";

/** @typedef {import("./filling.js").Blank} Blank */

export const source = signal("");
/** The text that words were clicked in, and which of it became blanks. */
export const picked = signal({ text: "", ranges: /** @type {[number, number][]} */ ([]) });
/** The text before words were made blanks, if it is known. */
export const original = computed(() => {
  const { text, ranges } = picked.value;
  return ranges.length && mask(text, ranges) === source.value && parse(text).every((segment) => "text" in segment)
    ? text
    : null;
});
export const settings = signal({ n: 5, temperature: "", beams: false });

/**
 * The segments that the result belongs to: the source may be edited meanwhile.
 * @type {import("@preact/signals").Signal<import("./source.js").Segment[]>}
 */
export const segments = signal([]);
/** @type {import("@preact/signals").Signal<Blank[] | null>} */
export const blanks = signal(null);
/**
 * Whole fillings, best first.
 * @type {import("@preact/signals").Signal<{text: string, logprob: number, blanks: {id: string, text: string}[]}[]>}
 */
export const fillings = signal([]);
/** Texts as they arrive, by blank. @type {import("@preact/signals").Signal<Record<string, string>>} */
export const arriving = signal({});
/** @type {import("@preact/signals").Signal<AbortController | null>} */
export const busy = signal(null);
/** The blank whose alternatives are open. */
export const opened = signal("");
export const failure = signal("");

/** @type {Blank[][]} */
let past = [];
export const undoable = signal(false);

export const filled = computed(() => (blanks.value ? filledText(segments.value, blanks.value) : ""));

/** Makes a new state of the blanks, which can be undone. @param {Blank[]} next */
export function choose(next) {
  if (blanks.value) past.push(blanks.value);
  undoable.value = past.length > 0;
  blanks.value = next;
}

/** A text begins anew: there is nothing to go back to. */
export function forget() {
  past = [];
  undoable.value = false;
}

export function undo() {
  const before = past.pop();
  if (before) blanks.value = before;
  undoable.value = past.length > 0;
}

/** @param {string} text */
export function edit(text) {
  source.value = text;
}

export function backToText() {
  busy.value?.abort();
  blanks.value = null;
  arriving.value = {};
}

/** @param {string} id @returns {Blank} */
export const find = (id) => /** @type {Blank} */ (blanks.value?.find((blank) => blank.id === id));

/** Texts of the other blanks, by id. @param {string} id */
export const rest = (id) =>
  Object.fromEntries((blanks.value ?? []).filter((blank) => blank.id !== id).map((blank) => [blank.id, blank.text]));

/** @param {string} id @param {string} text */
export function pick(id, text) {
  const now = /** @type {Blank[]} */ (blanks.value);
  const blank = find(id);
  if (blank.text !== text) choose(changed(now, id, { text, madeWith: blank.scoredWith ? rest(id) : blank.madeWith }));
  opened.value = "";
  const after = /** @type {Blank[]} */ (blanks.value);
  const stale = after.filter((one) => isStale(after, one)).length;
  spoken.value = stale ? t("fill.stale.count", { n: stale }) : text;
}

/** @param {string} id */
export function toggleLock(id) {
  blanks.value = changed(/** @type {Blank[]} */ (blanks.value), id, { locked: !find(id).locked });
}

/** Takes one of the whole fillings. @param {number} index */
export function takeFilling(index) {
  const taken = fillings.value[index].blanks;
  const before = new Map(taken.map(({ id, text }) => [id, text]));
  choose(
    /** @type {Blank[]} */ (blanks.value).map((blank) => ({
      ...blank,
      text: before.get(blank.id) ?? blank.text,
      madeWith: Object.fromEntries(Object.keys(blank.madeWith).map((id) => [id, before.get(id) ?? blank.madeWith[id]])),
    })),
  );
}

/** @param {string} how */
export function copied(how) {
  if (how === "markers") return source.value;
  if (how === "json")
    return JSON.stringify(
      {
        segments: segments.value,
        fillings: (blanks.value ?? []).map(({ id, text, options: list }) => ({ id, text, options: sorted(list) })),
      },
      null,
      1,
    );
  return filled.value;
}

/** @param {boolean} worked */
export const saidCopied = (worked) => notify(t(worked ? "copied" : "copy.failed"));
