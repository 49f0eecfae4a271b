// Fill blanks: the text first, then what the model wrote into it.
import { html } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { model } from "../ui/state.js";
import { Editor } from "./editor.js";
import { Result } from "./result.js";
import { arriving, blanks, failure } from "./state.js";

export function FillView() {
  const result = blanks.value !== null || Object.keys(arriving.value).length > 0;
  return html`
    <div class="page">
      <h1>${t("view.fill")}</h1>
      ${model.value && !model.value.fills_blanks && html`<p class="note">${t("fill.cannot", { model: model.value.id })}</p>`}
      ${failure.value && html`<p class="error" role="alert">${failure.value}</p>`}
      ${result ? html`<${Result} />` : html`<p class="lead">${t("fill.lead")}</p><${Editor} />`}
    </div>
  `;
}
