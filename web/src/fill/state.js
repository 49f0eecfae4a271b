// The text with its blanks, the filling, and the requests that change it.
import { computed, signal } from "@preact/signals";
import { CutOff, request, stream } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { explain, model, notify, spoken } from "../ui/state.js";
import { changed, filledText, fromAnswer, isStale, options, others, requestSegments, rescored, sorted } from "./filling.js";
import { limits, mask, parse } from "./source.js";

/** @typedef {import("./filling.js").Blank} Blank */

export const source = signal("");
/** The text that words were clicked in, and which of it became blanks. */
export const picked = signal({ text: "", ranges: /** @type {[number, number][]} */ ([]) });
/** The text before words were made blanks, if it is known. */
export const original = computed(() => {
  const { text, ranges } = picked.value;
  return ranges.length && mask(text, ranges) === source.value && parse(text).every((segment) => "text" in segment) ? text : null;
});
export const settings = signal({ n: 5, temperature: "", beams: false });

/** The segments that the result belongs to: the source may be edited meanwhile. @type {import("@preact/signals").Signal<import("./source.js").Segment[]>} */
export const segments = signal([]);
/** @type {import("@preact/signals").Signal<Blank[] | null>} */
export const blanks = signal(null);
/** Whole fillings, best first. @type {import("@preact/signals").Signal<{text: string, logprob: number, blanks: {id: string, text: string}[]}[]>} */
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

/** @param {Blank[]} next */
function choose(next) {
  if (blanks.value) past.push(blanks.value);
  undoable.value = past.length > 0;
  blanks.value = next;
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

const sampling = () => ({
  model: model.value?.id,
  top_logprobs: 5,
  ...(settings.value.temperature.trim() === "" ? {} : { temperature: Number(settings.value.temperature) }),
  ...(settings.value.beams ? { beams: Math.max(2, settings.value.n) } : {}),
});

/**
 * Runs a request and shows what went wrong with it.
 * @template T @param {(abort: AbortSignal) => Promise<T>} work @returns {Promise<T | undefined>}
 */
async function run(work) {
  busy.value?.abort();
  const abort = new AbortController();
  busy.value = abort;
  failure.value = "";
  try {
    return await work(abort.signal);
  } catch (error) {
    if (!abort.signal.aborted) failure.value = error instanceof CutOff ? t("finish.cut") : explain(error);
    return undefined;
  } finally {
    if (busy.value === abort) busy.value = null;
  }
}

/** Fills every blank that is not locked. */
export function fill() {
  const before = blanks.value;
  const kept = new Map((before ?? []).filter(({ locked }) => locked).map((blank) => [blank.id, blank]));
  if (!before) {
    segments.value = parse(source.value);
    past = [];
  }
  const order = segments.value.flatMap((segment) => ("blank" in segment && !kept.has(segment.blank.id) ? [segment.blank.id] : []));
  if (order.length === 0) return Promise.resolve();
  arriving.value = Object.fromEntries(order.map((id) => [id, ""]));
  spoken.value = t("fill.running");
  return run(async (abort) => {
    const body = {
      ...sampling(),
      n: settings.value.n,
      segments: requestSegments(segments.value, before ?? [], (id, hint) => (kept.has(id) ? null : { id, ...limits(hint) })),
    };
    try {
      for await (const event of stream("infill", body, abort)) {
        if (event.fillings) {
          fillings.value = event.fillings;
          const fresh = fromAnswer(event);
          const all = segments.value.flatMap((segment) => ("blank" in segment ? [segment.blank.id] : []));
          choose(all.map((id) => /** @type {Blank} */ (kept.get(id) ?? fresh.find((blank) => blank.id === id))));
          spoken.value = t("fill.done", { text: filled.value });
        } else if ((event.filling ?? 0) === 0 && event.delta) {
          const id = order[event.blank];
          arriving.value = { ...arriving.value, [id]: arriving.value[id] + event.delta };
        }
      }
    } finally {
      if (abort.aborted && !before) keepArrived(order);
      arriving.value = {};
    }
  });
}

/** What a stopped request had already written stays. @param {string[]} order */
function keepArrived(order) {
  const texts = arriving.value;
  if (!order.some((id) => texts[id])) return;
  fillings.value = [];
  choose(order.map((id) => ({ id, options: [{ text: texts[id], logprob: null, tokens: [], times: 1, own: false }], text: texts[id], locked: false, madeWith: {}, scoredWith: "" })));
}

/** @param {string} id @returns {Blank} */
const find = (id) => /** @type {Blank} */ (blanks.value?.find((blank) => blank.id === id));

/** Texts of the other blanks, by id. @param {string} id */
const rest = (id) => Object.fromEntries((blanks.value ?? []).filter((blank) => blank.id !== id).map((blank) => [blank.id, blank.text]));

/** Writes one blank again, with the others as they stand. @param {string} id */
export const refill = (id) =>
  run(async (abort) => {
    const now = /** @type {Blank[]} */ (blanks.value);
    const open = (/** @type {string} */ other, /** @type {string} */ hint) => (other === id ? { id, ...limits(hint) } : null);
    const answer = await request("infill", { ...sampling(), n: settings.value.n, segments: requestSegments(segments.value, now, open) }, abort);
    const list = options(answer.fillings.map((/** @type {any} */ filling) => filling.blanks[0]));
    choose(changed(now, id, { options: list, text: list[0].text, madeWith: rest(id), scoredWith: others(now, id) }));
    spoken.value = list[0].text;
  });

/** Scores a blank's options, and a text of the user's own, with the others as they stand. @param {string} id @param {string} [own] */
export const score = (id, own) =>
  run(async (abort) => {
    const now = /** @type {Blank[]} */ (blanks.value);
    const blank = find(id);
    const list = own === undefined || blank.options.some(({ text }) => text === own)
      ? blank.options
      : [...blank.options, { text: own, logprob: null, tokens: [], times: 0, own: true }];
    const open = (/** @type {string} */ other) => (other === id ? { id } : null);
    const choices = list.map(({ text }) => text).filter((text) => text !== ""); // nothing at all has no score
    const body = { model: model.value?.id, choices, segments: requestSegments(segments.value, now, open) };
    const scored = rescored(list, choices.length ? (await request("score", body, abort)).scores : []);
    const change = { options: scored, scoredWith: others(now, id) };
    if (own === undefined) blanks.value = changed(now, id, change);
    else choose(changed(now, id, { ...change, text: own, madeWith: rest(id) }));
  });

/** Opens a blank's alternatives; where other blanks have changed, their scores are asked for again. @param {string} id */
export function open(id) {
  opened.value = id;
  const blank = find(id);
  const now = /** @type {Blank[]} */ (blanks.value);
  if (!busy.value && now.length > 1 && blank.options.length > 1 && blank.scoredWith !== others(now, id)) score(id);
}

/** @param {string} id @param {string} text */
export function pick(id, text) {
  const now = /** @type {Blank[]} */ (blanks.value);
  if (find(id).text !== text) choose(changed(now, id, { text, madeWith: find(id).scoredWith ? rest(id) : find(id).madeWith }));
  opened.value = "";
  const stale = /** @type {Blank[]} */ (blanks.value).filter((blank) => isStale(/** @type {Blank[]} */ (blanks.value), blank)).length;
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
  if (how === "json") return JSON.stringify({ segments: segments.value, fillings: (blanks.value ?? []).map(({ id, text, options: list }) => ({ id, text, options: sorted(list) })) }, null, 1);
  return filled.value;
}

/** @param {boolean} worked */
export const saidCopied = (worked) => notify(t(worked ? "copied" : "copy.failed"));
