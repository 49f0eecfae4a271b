// Labels for a text, with their probabilities.
import { signal } from "@preact/signals";
import { request } from "../lib/api.js";
import { html, withValue } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { isComposing } from "../lib/keys.js";
import { Bar } from "../fill/alternatives.js";
import { explain, model } from "../ui/state.js";

const first = signal("");
const second = signal("");
/** @type {import("@preact/signals").Signal<{label: string, probability: number}[] | null>} */
const result = signal(null);
const failure = signal("");

async function classify() {
  failure.value = "";
  try {
    const input = second.value ? [first.value, second.value] : first.value;
    const answer = await request("classify", { model: model.value?.id, input: [input] });
    const { probs } = answer.data[0];
    const labels = answer.labels ?? model.value?.labels ?? [];
    result.value = probs
      .map((/** @type {number} */ probability, /** @type {number} */ index) => ({
        label: labels[index] ?? String(index),
        probability,
      }))
      .sort((/** @type {any} */ a, /** @type {any} */ b) => b.probability - a.probability);
  } catch (error) {
    failure.value = explain(error);
  }
}

export function ClassifyView() {
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (!isComposing(event) && event.key === "Enter" && (event.ctrlKey || event.metaKey)) classify();
  };
  const labels = model.value?.labels;
  return html`
    <div class="page">
      <h1>${t("view.classify")}</h1>
      <p class="lead">
        ${labels ? t("classify.lead", { labels: labels.join(", ") }) : t("classify.cannot", { model: model.value?.id ?? "" })}
      </p>
      ${failure.value && html`<p class="error" role="alert">${failure.value}</p>`}
      <textarea
        class="sheet"
        rows="4"
        aria-label=${t("classify.text")}
        placeholder=${t("classify.text")}
        value=${first.value}
        onKeyDown=${onKey}
        onInput=${withValue((value) => (first.value = value))}
      ></textarea>
      <textarea
        class="sheet"
        rows="2"
        aria-label=${t("classify.second")}
        placeholder=${t("classify.second")}
        value=${second.value}
        onKeyDown=${onKey}
        onInput=${withValue((value) => (second.value = value))}
      ></textarea>
      <div class="row">
        <button type="button" class="primary" disabled=${first.value === "" || !labels} onClick=${classify}>
          ${t("classify.run")}
        </button>
      </div>
      ${
        result.value &&
        html`
          <ul class="labels" aria-label=${t("classify.result")}>
            ${result.value.map(
              ({ label, probability }) => html`
                <li><span class="text">${label}</span><${Bar} share=${probability} /></li>
              `,
            )}
          </ul>
        `
      }
    </div>
  `;
}
