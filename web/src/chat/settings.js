// The system prompt, sampling and tools, in a panel.
import { signal } from "@preact/signals";
import { html, withValue } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { model } from "../ui/state.js";
import { IconButton } from "../ui/icons.js";
import { current, keep, shown } from "./state.js";

/** Name, smallest, largest, step. An empty field leaves the choice to the model's own default. */
const NUMBERS = /** @type {[string, number, number | undefined, number][]} */ ([
  ["temperature", 0, 2, 0.05],
  ["top_p", 0.01, 1, 0.01],
  ["top_k", 0, undefined, 1],
  ["min_p", 0, 1, 0.01],
  ["max_tokens", 1, undefined, 1],
  ["repetition_penalty", 0.05, 2, 0.05],
  ["presence_penalty", -2, 2, 0.1],
  ["frequency_penalty", -2, 2, 0.1],
  ["seed", 0, undefined, 1],
]);

const remembered = () => {
  try {
    const value = JSON.parse(localStorage.getItem("glmkit.sampling") ?? "{}");
    return value && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
};

export const panelOpen = signal(false);
/** @type {import("@preact/signals").Signal<Record<string, string>>} texts of the fields */
const fields = signal(remembered());

/** @param {string} name @param {string} value */
function set(name, value) {
  fields.value = { ...fields.value, [name]: value };
  localStorage.setItem("glmkit.sampling", JSON.stringify(fields.value));
}

/** The sampling parameters that were set. @returns {Record<string, unknown>} */
export function sampling() {
  const numbers = NUMBERS.map(([name]) => [name, String(fields.value[name] ?? "").trim()])
    .filter(([, text]) => text !== "" && Number.isFinite(Number(text)))
    .map(([name, text]) => [name, Number(text)]);
  const stop = String(fields.value.stop ?? "")
    .split("\n")
    .filter((line) => line !== "");
  return { ...Object.fromEntries(numbers), ...(stop.length ? { stop } : {}) };
}

/** @returns {{tools?: unknown[], error?: string}} */
function readTools() {
  const text = String(fields.value.tools ?? "").trim();
  if (text === "" || !model.value?.tools) return {};
  try {
    const tools = JSON.parse(text);
    return Array.isArray(tools) ? { tools } : { error: t("tools.list") };
  } catch (error) {
    return { error: String(/** @type {any} */ (error).message) };
  }
}

/** The tools of a request, where they are sound. */
export function toolList() {
  const { tools } = readTools();
  return tools?.length ? { tools } : {};
}

export function Settings() {
  if (!panelOpen.value) return null;
  const system = current.value.system ?? "";
  const { error } = readTools();
  return html`
    <section class="panel" id="settings" aria-label=${t("settings")}>
      <header>
        <h2>${t("settings")}</h2><${IconButton} icon="close" label=${t("close")} onClick=${() => (panelOpen.value = false)} />
      </header>
      ${
        model.value?.system !== false &&
        html`
        <div class="field">
          <label for="system">${t("system")}</label>
          <textarea id="system" rows="4" value=${system} placeholder=${t("system.hint")} onInput=${setSystem} />
        </div>
      `
      }
      <div class="numbers">
        ${NUMBERS.map(
          ([name, min, max, step]) => html`
            <div class="field">
              <label for=${name}>${t(`sampling.${name}`)}</label>
              <input id=${name} type="number" inputmode="decimal" min=${min} max=${max} step=${step} value=${fields.value[name] ?? ""}
                placeholder=${t("default")} onInput=${withValue((value) => set(name, value))} />
            </div>
          `,
        )}
      </div>
      <div class="field">
        <label for="stop">${t("sampling.stop")}</label>
        <textarea
          id="stop"
          rows="2"
          value=${fields.value.stop ?? ""}
          onInput=${withValue((value) => set("stop", value))}
        ></textarea>
      </div>
      ${
        model.value?.tools &&
        html`
        <div class="field">
          <label for="tools">${t("tools")}</label>
          <textarea
            id="tools"
            class="mono"
            rows="5"
            spellcheck="false"
            value=${fields.value.tools ?? ""}
            aria-invalid=${error !== undefined}
            placeholder='[{"type": "function", "function": {"name": ...}}]'
            onInput=${withValue((value) => set("tools", value))}></textarea>
          ${error && html`<small class="error">${error}</small>`}
        </div>
      `
      }
      <div class="row"><button type="button" onClick=${reset}>${t("reset")}</button></div>
    </section>
  `;
}

/** @param {any} event */
function setSystem(event) {
  current.value = { ...current.value, system: event.target.value };
  if (shown.value.length) keep();
}

function reset() {
  fields.value = {};
  localStorage.removeItem("glmkit.sampling");
}
