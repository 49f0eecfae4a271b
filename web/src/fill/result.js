// The second stage: the text with its blanks as buttons.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { copy } from "../lib/files.js";
import { html, withValue } from "../lib/html.js";
import { percent, t } from "../lib/i18n.js";
import { isComposing } from "../lib/keys.js";
import { lookAt } from "../inside/state.js";
import { go } from "../ui/state.js";
import { Difference } from "./difference.js";
import { isStale, shares } from "./filling.js";
import { fill, open } from "./requests.js";
import { Alternatives } from "./alternatives.js";
import {
  arriving,
  backToText,
  blanks,
  busy,
  copied,
  fillings,
  opened,
  original,
  saidCopied,
  segments,
  source,
  takeFilling,
  undo,
  undoable,
} from "./state.js";

const compare = signal("");

export function Result() {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (isComposing(event)) return;
    if (
      (event.ctrlKey || event.metaKey) &&
      event.key === "z" &&
      /** @type {Element} */ (event.target).tagName !== "INPUT"
    ) {
      event.preventDefault();
      undo();
    } else if (event.key === "Escape" && busy.value && !opened.value) {
      busy.value.abort();
    }
  };
  const writing = Object.keys(arriving.value).length > 0;
  useEffect(() => {
    if (!writing) /** @type {HTMLElement | null | undefined} */ (place.current?.querySelector("button.blank"))?.focus();
  }, [writing]);
  useEffect(() => () => void (opened.value = ""), []);
  return html`
    <div class="result" ref=${place} onKeyDown=${onKey}>
      <div class="sheet flow" role="group" aria-label=${t("fill.result")} aria-busy=${writing}>
        ${segments.value.map((segment) =>
          "text" in segment ? segment.text : html`<${BlankSpan} key=${segment.blank.id} id=${segment.blank.id} />`,
        )}
      </div>
      <div class="toolbar">
        ${
          writing || busy.value
            ? html`<button type="button" class="primary" onClick=${() => busy.value?.abort()}>${t("stop")}</button>`
            : html`<button type="button" class="primary" onClick=${fill}>${t("fill.again")}</button>`
        }
        <button type="button" onClick=${backToText}>${t("fill.edit")}</button>
        <button type="button" onClick=${undo} disabled=${!undoable.value}>${t("undo")} <kbd>Ctrl+Z</kbd></button>
        ${!writing && html`<${Tools} />`}
      </div>
      ${!writing && blanks.value && compare.value !== "" && html`<${Difference} against=${compareText()} />`}
    </div>
  `;
}

function Tools() {
  const weights = shares(
    fillings.value.map(({ text, logprob }) => ({ text, logprob, tokens: [], times: 1, own: false })),
  );
  return html`
    ${
      fillings.value.length > 1 &&
      html`
      <select
        aria-label=${t("fill.whole")}
        value=""
        onChange=${(/** @type {any} */ event) => (takeFilling(Number(event.target.value)), (event.target.value = ""))}
      >
        <option value="" disabled selected>${t("fill.whole")}</option>
        ${fillings.value.map(
          ({ text }, index) => html`<option value=${index}>${percent(weights[index])} · ${text.slice(0, 80)}</option>`,
        )}
      </select>
    `
    }
    <select
      aria-label=${t("fill.compare")}
      value=${compare.value}
      onChange=${withValue((value) => (compare.value = value))}
    >
      <option value="">${t("fill.compare")}</option>
      ${[
        ...(original.value === null ? [] : [["original", t("fill.original")]]),
        ["source", t("fill.source")],
        ...fillings.value.map((_, index) => [`${index}`, t("fill.filling", { n: index + 1 })]),
      ].map(([value, name]) => html`<option value=${value}>${t("fill.compare")}: ${name}</option>`)}
    </select>
    <select aria-label=${t("copy")} value="" onChange=${copyAs}>
      <option value="" disabled selected>${t("copy")}</option>
      ${["text", "markers", "json"].map((how) => html`<option value=${how}>${t(`copy.${how}`)}</option>`)}
    </select>
    <button type="button" onClick=${toLayout}>${t("inside.layout.open")}</button>
  `;
}

/** @param {any} event */
async function copyAs(event) {
  const how = event.target.value;
  event.target.value = "";
  saidCopied(await copy(copied(how)));
}

function compareText() {
  if (compare.value === "original") return original.value ?? source.value;
  if (compare.value === "source") return source.value;
  return fillings.value[Number(compare.value)]?.text ?? source.value;
}

function toLayout() {
  lookAt({ text: source.value, fillings: (blanks.value ?? []).map(({ text }) => text) });
  go("inside");
}

/** @param {{id: string}} props */
function BlankSpan({ id }) {
  const all = blanks.value ?? [];
  const index = segments.value.flatMap((segment) => ("blank" in segment ? [segment.blank.id] : [])).indexOf(id);
  const blank = all.find((one) => one.id === id);
  const coming = arriving.value[id];
  if (coming !== undefined || !blank) {
    return html`<span class="blank arriving"><span class="numeral">${index + 1}</span>${coming || "…"}</span>`;
  }
  const stale = isStale(all, blank);
  const at = blank.options.findIndex(({ text }) => text === blank.text);
  const share = shares(blank.options)[at];
  const isOpen = opened.value === id;
  const label = t("fill.blank", {
    n: index + 1,
    all: all.length,
    text: blank.text,
    share: percent(share || 0),
    count: blank.options.length,
  });
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && isOpen) {
      event.stopPropagation();
      opened.value = "";
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      open(id);
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      event.preventDefault();
      neighbor(event.currentTarget, event.key === "ArrowRight" ? 1 : -1);
    }
  };
  return html`
    <span class=${`blank-place${isOpen ? " open" : ""}`}>
      <button
        type="button"
        id=${`blank-${id}`}
        class=${`blank${stale ? " stale" : ""}${blank.locked ? " locked" : ""}`}
        aria-haspopup="listbox"
        aria-expanded=${isOpen}
        aria-label=${stale ? `${label}. ${t("fill.stale")}` : label}
        onClick=${() => (isOpen ? (opened.value = "") : open(id))}
        onKeyDown=${onKey}
      >
        <span class="numeral">${index + 1}</span>${blank.text || "∅"}
      </button>
      ${stale && html`<small class="stale-mark" aria-hidden="true">${t("fill.stale.mark")}</small>`}
      ${isOpen && html`<${Alternatives} blank=${blank} stale=${stale} move=${neighbor} />`}
    </span>
  `;
}

/** Moves to the next blank, or the one before. @param {any} element @param {number} step */
function neighbor(element, step) {
  const buttons = [...element.closest(".flow").querySelectorAll("button.blank")];
  const here = element.closest(".blank-place").querySelector("button.blank");
  buttons[(buttons.indexOf(here) + step + buttons.length) % buttons.length].focus();
}
