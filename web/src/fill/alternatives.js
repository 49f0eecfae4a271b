// The alternatives of one blank: a list for the keyboard and the pointer alike, at the edge of the screen on a phone.
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { html, withValue } from "../lib/html.js";
import { number, percent, t } from "../lib/i18n.js";
import { isComposing } from "../lib/keys.js";
import { heat } from "../inside/heat.js";
import { shares } from "./filling.js";
import { refill, score } from "./requests.js";
import { busy, opened, pick, toggleLock } from "./state.js";

/** Spaces and line ends made visible. @param {string} text */
const visible = (text) => (text === "" ? "∅" : text.replace(/^ | $/g, "·").replaceAll("\n", "⏎"));

/** @param {{blank: import("./filling.js").Blank, stale: boolean, move: (element: any, step: number) => void}} props */
export function Alternatives({ blank, stale, move }) {
  const { id, options } = blank;
  const at = useSignal(
    Math.max(
      0,
      options.findIndex(({ text }) => text === blank.text),
    ),
  );
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const weights = shares(options);
  const active = Math.min(at.value, options.length - 1);
  const close = () => {
    opened.value = "";
    document.getElementById(`blank-${id}`)?.focus();
  };
  const again = async () => {
    await refill(id);
    list.current?.focus();
  };
  const choose = (/** @type {number} */ index) => {
    pick(id, options[index].text);
    document.getElementById(`blank-${id}`)?.focus();
  };
  useLayoutEffect(() => {
    list.current?.focus({ preventScroll: true });
    keepInView(/** @type {HTMLElement} */ (box.current));
    const outside = (/** @type {any} */ event) => {
      if (!event.target.closest?.(".blank-place.open")) opened.value = "";
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, []);
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (isComposing(event)) return;
    const keys = /** @type {Record<string, () => void>} */ ({
      ArrowDown: () => (at.value = Math.min(options.length - 1, active + 1)),
      ArrowUp: () => (at.value = Math.max(0, active - 1)),
      Home: () => (at.value = 0),
      End: () => (at.value = options.length - 1),
      Enter: () => choose(active),
      " ": () => choose(active),
      ArrowRight: () => (move(list.current, 1), (opened.value = "")),
      ArrowLeft: () => (move(list.current, -1), (opened.value = "")),
    });
    const act =
      /^[1-9]$/.test(event.key) && options[Number(event.key) - 1]
        ? () => choose(Number(event.key) - 1)
        : keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  const onEscape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || isComposing(event)) return;
    event.stopPropagation();
    close();
  };
  return html`
    <div class="alternatives" ref=${box} onKeyDown=${onEscape}>
      <ul
        role="listbox"
        tabindex="0"
        ref=${list}
        aria-label=${t("fill.alternatives")}
        aria-activedescendant=${`${id}-${active}`}
        onKeyDown=${onKey}
      >
        ${options.map(
          (option, index) => html`
            <li
              role="option"
              id=${`${id}-${index}`}
              key=${option.text}
              aria-selected=${option.text === blank.text}
              class=${index === active ? "active" : ""}
              onClick=${() => choose(index)}
              aria-label=${`${option.text || t("fill.empty")}, ${percent(weights[index])}`}
            >
              <span class="text"><${OptionText} option=${option} /></span>
              <${Bar} share=${weights[index]} />
              <span class="details">${details(option)}</span>
            </li>
          `,
        )}
      </ul>
      <p class="legend">${t("fill.share")}${stale ? ` ${t("fill.stale")}` : ""}</p>
      <${Own} id=${id} />
      <div class="row wrap">
        <button type="button" disabled=${busy.value !== null} onClick=${again}>${t("fill.refill")}</button>
        <button type="button" aria-pressed=${blank.locked} onClick=${() => toggleLock(id)}>${t("fill.lock")}</button>
        <button type="button" onClick=${close}>${t("close")}</button>
      </div>
    </div>
  `;
}

/** The text, each token in the color of its probability. @param {{option: import("./filling.js").Option}} props */
function OptionText({ option }) {
  if (option.tokens.length === 0) return visible(option.text);
  return option.tokens.map(({ token, logprob }) => html`<span class=${heat(logprob)}>${visible(token)}</span>`);
}

/** @param {import("./filling.js").Option} option */
function details({ logprob, times, own }) {
  const score =
    logprob === null
      ? t("fill.unscored")
      : t("fill.details", { p: percent(Math.exp(logprob)), logp: number(logprob, { maximumFractionDigits: 2 }) });
  return [score, ...(times > 1 ? [`×${times}`] : []), ...(own ? [t("fill.own.mark")] : [])].join(" · ");
}

/** A bar as long as its share. @param {{share: number}} props */
export const Bar = ({ share }) => html`
  <span class="bar">
    <span ref=${(/** @type {HTMLElement | null} */ bar) => bar?.style.setProperty("--share", String(share))}></span>
    <b>${percent(share)}</b>
  </span>
`;

/** A word of the user's own, which the model scores. @param {{id: string}} props */
function Own({ id }) {
  const text = useSignal("");
  const submit = async () => {
    if (text.value === "" || busy.value) return;
    await score(id, text.value);
    text.value = "";
    document.getElementById(`blank-${id}`)?.closest(".blank-place")?.querySelector("ul")?.focus();
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (isComposing(event) || event.key !== "Enter") return;
    event.preventDefault();
    submit();
  };
  return html`
    <div class="row own">
      <input aria-label=${t("fill.own")} placeholder=${t("fill.own")} value=${text.value} onKeyDown=${onKey}
        onInput=${withValue((value) => (text.value = value))} />
      <button type="button" disabled=${text.value === "" || busy.value !== null} onClick=${submit}>
        ${t("fill.score")}
      </button>
    </div>
  `;
}

/** Shifts a box that would leave the window at its right. @param {HTMLElement} box */
function keepInView(box) {
  const { right } = box.getBoundingClientRect();
  const over = right - document.documentElement.clientWidth + 12;
  if (over > 0 && getComputedStyle(box).position === "absolute") box.style.left = `${-over}px`;
  box.scrollIntoView({ block: "nearest" });
}
