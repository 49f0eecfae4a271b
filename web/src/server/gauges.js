// How busy the server is, in a few small figures.
import { html } from "../lib/html.js";
import { number, percent, t } from "../lib/i18n.js";
import { load, model } from "../ui/state.js";

export function Gauges() {
  const now = load.value;
  if (!now) return html`<p class="gauges meta">${model.value?.id ?? ""}</p>`;
  const cache = now.cache_bytes ? now.cache_bytes_used / now.cache_bytes : 0;
  return html`
    <dl class="gauges">
      <div><dt>${t("load.speed")}</dt><dd>${number(now.tokens_per_second ?? 0, { maximumFractionDigits: 1 })}</dd></div>
      <div><dt>${t("load.queue")}</dt><dd>${now.running} + ${now.waiting}</dd></div>
      <div><dt>${t("load.cache")}</dt><dd>${percent(cache)}</dd></div>
    </dl>
    ${now.loading && html`<p class="meta">${t("load.loading", { model: now.loading.model, share: percent(now.loading.share) })}</p>`}
  `;
}
