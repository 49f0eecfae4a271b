// What is asked of the server: to fill the blanks, to fill one again, to score what could stand in one.
import { CutOff, request, stream } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { explain, model, spoken } from "../ui/state.js";
import { changed, fromAnswer, options, others, requestSegments, rescored } from "./filling.js";
import { limits, parse } from "./source.js";
import {
  arriving,
  blanks,
  busy,
  choose,
  failure,
  filled,
  fillings,
  find,
  forget,
  opened,
  rest,
  segments,
  settings,
  source,
} from "./state.js";

/** @typedef {import("./filling.js").Blank} Blank */

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
    forget();
  }
  const order = segments.value.flatMap((segment) =>
    "blank" in segment && !kept.has(segment.blank.id) ? [segment.blank.id] : [],
  );
  if (order.length === 0) return Promise.resolve();
  arriving.value = Object.fromEntries(order.map((id) => [id, ""]));
  spoken.value = t("fill.running");
  return run(async (abort) => {
    const body = {
      ...sampling(),
      n: settings.value.n,
      segments: requestSegments(segments.value, before ?? [], (id, hint) =>
        kept.has(id) ? null : { id, ...limits(hint) },
      ),
    };
    try {
      for await (const event of stream("infill", body, abort)) {
        if (event.fillings) {
          fillings.value = event.fillings;
          const texts = Object.fromEntries([...kept].map(([id, blank]) => [id, blank.text]));
          const fresh = fromAnswer(event).map((blank) => ({ ...blank, madeWith: { ...texts, ...blank.madeWith } }));
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
  choose(
    order.map((id) => ({
      id,
      options: [{ text: texts[id], logprob: null, tokens: [], times: 1, own: false }],
      text: texts[id],
      locked: false,
      madeWith: {},
      scoredWith: "",
    })),
  );
}

/** Writes one blank again, with the others as they stand. @param {string} id */
export const refill = (id) =>
  run(async (abort) => {
    const now = /** @type {Blank[]} */ (blanks.value);
    const open = (/** @type {string} */ other, /** @type {string} */ hint) =>
      other === id ? { id, ...limits(hint) } : null;
    const answer = await request(
      "infill",
      { ...sampling(), n: settings.value.n, segments: requestSegments(segments.value, now, open) },
      abort,
    );
    const list = options(answer.fillings.map((/** @type {any} */ filling) => filling.blanks[0]));
    const change = { options: list, text: list[0].text, madeWith: rest(id), scoredWith: others(now, id) };
    choose(changed(/** @type {Blank[]} */ (blanks.value), id, change));
    spoken.value = list[0].text;
  });

/**
 * Scores a blank's options, and a text of the user's own, with the others as they stand.
 * @param {string} id @param {string} [own]
 */
export const score = (id, own) =>
  run(async (abort) => {
    const now = /** @type {Blank[]} */ (blanks.value);
    const blank = find(id);
    const list =
      own === undefined || blank.options.some(({ text }) => text === own)
        ? blank.options
        : [...blank.options, { text: own, logprob: null, tokens: [], times: 0, own: true }];
    const open = (/** @type {string} */ other) => (other === id ? { id } : null);
    const choices = list.map(({ text }) => text).filter((text) => text !== ""); // nothing at all has no score
    const body = { model: model.value?.id, choices, segments: requestSegments(segments.value, now, open) };
    const scored = rescored(list, choices.length ? (await request("score", body, abort)).scores : []);
    const change = { options: scored, scoredWith: others(now, id) };
    const after = /** @type {Blank[]} */ (blanks.value); // something else may have been chosen meanwhile
    if (own === undefined) blanks.value = changed(after, id, change);
    else choose(changed(after, id, { ...change, text: own, madeWith: rest(id) }));
  });

/** Opens a blank's alternatives; where other blanks have changed, scores are asked for again. @param {string} id */
export function open(id) {
  opened.value = id;
  const blank = find(id);
  const now = /** @type {Blank[]} */ (blanks.value);
  if (!busy.value && now.length > 1 && blank.options.length > 1 && blank.scoredWith !== others(now, id)) score(id);
}
