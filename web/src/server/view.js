// The models and what they are, and how busy the server is.
import { html } from "../lib/html.js";
import { number, percent, t } from "../lib/i18n.js";
import { chooseModel, info, load, model } from "../ui/state.js";

/** @param {number} count */
const short = (count) => number(count, { notation: "compact", maximumSignificantDigits: 3 });
/** @param {number} bytes */
const mebibytes = (bytes) => `${number(bytes / 2 ** 20, { maximumFractionDigits: 0 })} MiB`;

export function ServerView() {
  return html`
    <div class="page">
      <h1>${t("view.server")}</h1>
      ${load.value && html`<${Busy} now=${load.value} />`}
      ${(info.value?.models ?? []).map((one) => html`<${Facts} key=${one.id} one=${one} />`)}
      ${info.value && html`<p class="meta">glmkit ${info.value.version}</p>`}
    </div>
  `;
}

/** @param {{now: any}} props */
function Busy({ now }) {
  const used = [now.cache_bytes_used ?? 0, ...(now.cache_bytes ? [now.cache_bytes] : [])].map(mebibytes).join(" / ");
  const cache = now.cache_bytes ? now.cache_bytes_used / now.cache_bytes : 0;
  return html`
    <section class="card" aria-label=${t("load")}>
      <dl class="facts">
        <div>
          <dt>${t("load.speed.long")}</dt><dd>${number(now.tokens_per_second ?? 0, { maximumFractionDigits: 1 })}</dd>
        </div>
        <div><dt>${t("load.running")}</dt><dd>${now.running}</dd></div>
        <div><dt>${t("load.waiting")}</dt><dd>${now.waiting}</dd></div>
        <div>
          <dt>${t("load.cache.long")}</dt><dd>${used}</dd>
        </div>
      </dl>
      ${now.cache_bytes && html`<meter min="0" max="1" value=${cache} aria-label=${t("load.cache.long")}>${percent(cache)}</meter>`}
    </section>
  `;
}

/** @param {{one: import("../ui/state.js").Model}} props */
function Facts({ one }) {
  const can = [
    one.chats && t("view.chat"),
    one.fills_blanks && t("view.fill"),
    one.labels && t("view.classify"),
    one.system && t("system"),
    one.tools && t("tools"),
  ].filter(Boolean);
  const facts = [
    [t("facts.family"), one.family],
    [t("facts.parameters"), short(one.parameters)],
    [t("facts.context"), t("tokens", { n: number(one.context) })],
    [t("facts.weights"), one.quantized ? `${one.dtype}, int${one.quantized.bits}` : one.dtype],
    [t("facts.can"), can.join(" · ")],
    ...(one.labels ? [[t("facts.labels"), one.labels.join(", ")]] : []),
    ...(one.adapter_of ? [[t("facts.adapter"), one.adapter_of]] : []),
  ];
  const chosen = one.id === model.value?.id;
  return html`
    <section class="card" aria-label=${one.id}>
      <header><h2>${one.id}</h2>
        <button type="button" aria-pressed=${chosen} onClick=${() => chooseModel(one.id)}>
          ${t(chosen ? "model.chosen" : "model.choose")}
        </button>
      </header>
      <dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    </section>
  `;
}
