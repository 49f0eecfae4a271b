// Look inside: how probable each token was, and how a text with blanks is laid out for the model.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { request } from "../lib/api.js";
import { html, withValue } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { isComposing } from "../lib/keys.js";
import { blanksOf, parse } from "../fill/source.js";
import { explain, model } from "../ui/state.js";
import { HeatMap } from "./heatmap.js";
import { LayoutView } from "./layout_view.js";
import { fillingTexts, messages, tab, text } from "./state.js";
import { grouped } from "./tokens.js";

/** @type {import("@preact/signals").Signal<import("./tokens.js").Shown[] | null>} */
const tokens = signal(null);
/** @type {import("@preact/signals").Signal<import("./layout.js").Layout | null>} */
const layout = signal(null);
const busy = signal(false);
const failure = signal("");

async function look() {
  busy.value = true;
  failure.value = "";
  try {
    const name = model.value?.id;
    if (tab.value === "heat") {
      const what = messages.value ? { messages: messages.value } : { text: text.value };
      tokens.value = grouped((await request("logprobs", { model: name, ...what, top_logprobs: 5 })).tokens);
    } else {
      // A model that fills no blanks reads a text as it stands.
      if (model.value?.fills_blanks === false) {
        layout.value = await request("layout", { model: name, text: text.value });
        return;
      }
      const segments = parse(text.value).map((segment) =>
        "text" in segment ? segment : { blank: { id: segment.blank.id } },
      );
      const fillings = blanksOf(text.value).map((_, index) => fillingTexts.value[index] ?? "");
      layout.value = await request("layout", { model: name, segments, fillings });
    }
  } catch (error) {
    failure.value = explain(error);
  } finally {
    busy.value = false;
  }
}

export function InsideView() {
  const heat = tab.value === "heat";
  useEffect(() => {
    // What was sent here from another view is shown at once.
    if ((heat && messages.value) || (!heat && text.value && fillingTexts.value.length)) look();
  }, [tab.value, messages.value]);
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (isComposing(event)) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) look();
  };
  return html`
    <div class="page">
      <h1>${t("view.inside")}</h1>
      <div class="segments tabs" role="group" aria-label=${t("view.inside")}>
        ${["heat", "layout"].map(
          (name) => html`
            <button type="button" aria-pressed=${tab.value === name} onClick=${() => (tab.value = name)}>
              ${t(`inside.${name}`)}
            </button>
          `,
        )}
      </div>
      <p class="lead">${t(`inside.${tab.value}.lead`)}</p>
      ${failure.value && html`<p class="error" role="alert">${failure.value}</p>`}
      ${
        heat && messages.value
          ? html`<${Conversation} count=${messages.value.length} />`
          : html`
              <textarea
                class="sheet"
                rows="3"
                aria-label=${t("inside.input")}
                placeholder=${t(heat ? "inside.placeholder" : "fill.placeholder")}
                value=${text.value}
                onInput=${withValue((value) => (text.value = value))}
                onKeyDown=${onKey}
              ></textarea>
            `
      }
      ${!heat && html`<${Fillings} />`}
      <div class="row">
        <button
          type="button"
          class="primary"
          disabled=${busy.value || (!messages.value && text.value === "")}
          onClick=${look}
        >${t("inside.look")}</button>
      </div>
      <div aria-busy=${busy.value}>
        ${heat && tokens.value && html`<${HeatMap} tokens=${tokens.value} />`}
        ${!heat && layout.value && html`<${LayoutView} layout=${layout.value} />`}
      </div>
    </div>
  `;
}

/** In place of the text, when a conversation was sent here. @param {{count: number}} props */
const Conversation = ({ count }) => html`
  <p class="note">
    ${t("inside.conversation", { n: count })}
    <button type="button" class="link" onClick=${() => (messages.value = null)}>${t("inside.text")}</button>
  </p>
`;

/** A field for what stands in each blank. */
function Fillings() {
  const set = (/** @type {number} */ index, /** @type {string} */ value) => {
    const next = [...fillingTexts.value];
    next[index] = value;
    fillingTexts.value = Array.from(next, (one) => one ?? "");
  };
  return html`
    <div class="fillings">
      ${blanksOf(text.value).map(
        (_, index) => html`
          <label>
            <span class="numeral">${index + 1}</span>
            <input
              aria-label=${t("inside.filling", { n: index + 1 })}
              placeholder=${t("inside.filling", { n: index + 1 })}
              value=${fillingTexts.value[index] ?? ""}
              onInput=${withValue((value) => set(index, value))}
            />
          </label>
        `,
      )}
    </div>
  `;
}
