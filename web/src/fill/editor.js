// The first stage: a plain text field in which ____ is a blank. Input methods of every language work in it.
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { html, withValue } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { isComposing } from "../lib/keys.js";
import { model } from "../ui/state.js";
import { BLANK, HINTS, blanksOf, withHint } from "./source.js";
import { fill } from "./requests.js";
import { edit, picked, settings, source } from "./state.js";
import { Words } from "./words.js";

const EXAMPLES = [
  "She ate ____ for ____ because ____.",
  "The capital of France is ____{word}, and its longest river is ____{word}.",
  "春风又____江南岸，明月何时照我还。",
  "我今天早上____，所以____。",
  "def average(numbers):\n    return ____ / len(numbers)\n",
];

export function Editor() {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const picking = useSignal(false);
  const blanks = blanksOf(source.value);
  const possible = blanks.length > 0 && model.value?.fills_blanks !== false;
  const insert = () => {
    const field = area.current;
    if (!field) return;
    field.focus();
    field.setRangeText(BLANK, field.selectionStart, field.selectionEnd, "end");
    edit(field.value);
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (isComposing(event)) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (possible) fill();
    } else if (event.altKey && event.code === "KeyB") {
      event.preventDefault();
      insert();
    }
  };
  const pickWords = () => {
    if (!picking.value && source.value !== picked.value.text) picked.value = { text: source.value, ranges: [] };
    picking.value = !picking.value;
  };
  return html`
    <div class="contents" onKeyDown=${onKey}>
      <div class="toolbar">
        <button type="button" onClick=${insert} disabled=${picking.value} aria-keyshortcuts="Alt+B">
          ${t("fill.insert")} <kbd>Alt+B</kbd>
        </button>
        <button type="button" aria-pressed=${picking.value} onClick=${pickWords} disabled=${source.value.trim() === ""}>
          ${t("fill.pick")}
        </button>
        <select
          aria-label=${t("examples")}
          value=""
          onChange=${withValue((value) => (edit(value), (picking.value = false)))}
        >
          <option value="" disabled selected>${t("examples")}</option>
          ${EXAMPLES.map((example) => html`<option value=${example}>${example.split("\n").at(-2) ?? example}</option>`)}
        </select>
      </div>
      ${
        picking.value
          ? html`<${Words} />`
          : html`<textarea ref=${area} class="sheet" rows="6" aria-label=${t("fill.text")} placeholder=${t("fill.placeholder")}
            value=${source.value} onInput=${withValue(edit)}></textarea>`
      }
      <p class="count">${blanks.length ? t("fill.count", { n: blanks.length }) : t("fill.none")}</p>
      ${blanks.length > 0 && html`<${Lengths} blanks=${blanks} />`}
      <${Choices} />
      <div class="row">
        <button type="button" class="primary" disabled=${!possible} onClick=${fill}>
          ${t("fill.fill")} <kbd>Ctrl+Enter</kbd>
        </button>
      </div>
    </div>
  `;
}

/** @param {{blanks: {id: string, hint: string}[]}} props */
function Lengths({ blanks }) {
  const name = (/** @type {string} */ hint) => (/^\d/.test(hint) ? t("tokens", { n: hint }) : t(`length.${hint}`));
  const all = (/** @type {string} */ hint) => (HINTS.includes(hint) ? HINTS : [...HINTS, hint]);
  return html`
    <ol class="lengths" aria-label=${t("fill.lengths")}>
      ${blanks.map(
        ({ id, hint }, index) => html`
          <li key=${id}>
            <span class="numeral" aria-hidden="true">${index + 1}</span>
            <select
              aria-label=${t("fill.length", { n: index + 1 })}
              value=${hint}
              onChange=${withValue((value) => edit(withHint(source.value, index, value)))}
            >
              ${all(hint).map((one) => html`<option value=${one}>${name(one)}</option>`)}
            </select>
          </li>
        `,
      )}
    </ol>
  `;
}

function Choices() {
  const { n, temperature, beams } = settings.value;
  const set = (/** @type {object} */ change) => (settings.value = { ...settings.value, ...change });
  const setCount = (/** @type {string} */ text) => set({ n: Math.min(20, Math.max(1, Math.round(Number(text)) || 1)) });
  return html`
    <div class="choices">
      <label>
        ${t("fill.alternatives")}
        <input type="number" min="1" max="20" value=${n} onChange=${withValue(setCount)} />
      </label>
      <label>
        ${t("sampling.temperature")}
        <input
          type="number"
          min="0"
          max="2"
          step="0.05"
          placeholder=${t("default")}
          value=${temperature}
          disabled=${beams}
          onInput=${withValue((text) => set({ temperature: text }))}
        />
      </label>
      <label class="check">
        <input type="checkbox" checked=${beams} onChange=${() => set({ beams: !beams })} />
        ${t("fill.beams")}
      </label>
    </div>
  `;
}
