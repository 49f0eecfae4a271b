// Each token of a text by how probable it was, given those before it.
import { signal } from "@preact/signals";
import { html } from "../lib/html.js";
import { number, percent, t } from "../lib/i18n.js";
import { Bar } from "../fill/alternatives.js";
import { useRoving } from "../ui/roving.js";
import { STEPS, scale } from "./heat.js";
import { summary } from "./tokens.js";

const AT_ONCE = 2000; // tokens drawn; more on demand

/** @type {import("@preact/signals").Signal<"absolute" | "relative" | "rank">} */
const mode = signal("absolute");
const asTable = signal(false);
const count = signal(AT_ONCE);

/** @param {{tokens: import("./tokens.js").Shown[]}} props */
export function HeatMap({ tokens }) {
  const paint = scale(mode.value, tokens.map(({ logprob }) => logprob));
  const drawn = tokens.slice(0, count.value);
  const { count: all, mean, perplexity } = summary(tokens);
  return html`
    <div class="toolbar">
      <select aria-label=${t("heat.scale")} value=${mode.value} onChange=${(/** @type {any} */ event) => (mode.value = event.target.value)}>
        ${["absolute", "relative", "rank"].map((name) => html`<option value=${name}>${t(`heat.${name}`)}</option>`)}
      </select>
      <button type="button" aria-pressed=${asTable.value} onClick=${() => (asTable.value = !asTable.value)}>${t("heat.table")}</button>
      <span class="meta">${t("heat.summary", {
        n: all,
        mean: number(mean, { maximumFractionDigits: 2 }),
        perplexity: number(perplexity, { maximumSignificantDigits: 4 }),
      })}</span>
    </div>
    <${Legend} />
    ${asTable.value ? html`<${Table} tokens=${drawn} />` : html`<${Flow} tokens=${drawn} paint=${paint} />`}
    ${tokens.length > drawn.length && html`<button type="button" onClick=${() => (count.value += AT_ONCE)}>${t("heat.more", { n: tokens.length - drawn.length })}</button>`}
  `;
}

function Legend() {
  if (mode.value === "rank") {
    return html`<p class="legend">${[0, 1, 2, 3].map((rank) => html`<span class=${`h rank${rank}`}>${t(`heat.rank${rank}`)}</span> `)}</p>`;
  }
  return html`
    <p class="legend"><span>${t("heat.sure")}</span><span class="scale" aria-hidden="true">${Array.from({ length: STEPS }, (_, index) => html`<i class=${`h h${index}`}></i>`)}</span><span>${t("heat.surprised")}</span></p>
  `;
}

/** @param {Shown} token @typedef {import("./tokens.js").Shown} Shown */
const spoken = ({ text, logprob }) => `${text.trim() === "" ? JSON.stringify(text) : text}, ${logprob === null ? t("heat.first") : percent(Math.exp(logprob))}`;

/** @param {{tokens: Shown[], paint: (token: Shown) => string}} props */
function Flow({ tokens, paint }) {
  const roving = useRoving(tokens.length);
  const now = tokens[roving.at];
  return html`
    <div class="heat-place">
      <div class="sheet heat-map" role="group" aria-label=${t("heat.map")} onKeyDown=${roving.onKeyDown}>
        ${tokens.map((token, index) => html`<span role="button" class=${paint(token)} aria-label=${spoken(token)} ...${roving.item(index)}>${token.text}</span>`)}
      </div>
      ${now && html`<${Detail} token=${now} />`}
    </div>
  `;
}

/** What is known about one token, and what else could have stood there. @param {{token: Shown}} props */
function Detail({ token }) {
  return html`
    <section class="detail" aria-label=${t("heat.detail")} aria-live="polite">
      <p><code>${token.text.replaceAll("\n", "⏎").replaceAll(" ", "·")}</code> <small>${t("heat.ids", { ids: token.ids.join(" ") })}</small></p>
      <p>${token.logprob === null ? t("heat.first") : `${percent(Math.exp(token.logprob))} · log p ${number(token.logprob, { maximumFractionDigits: 3 })}${token.rank ? ` · ${t("heat.place", { n: token.rank })}` : ""}`}</p>
      ${token.top.length > 0 &&
      html`<ul>${token.top.map((other) => html`<li><span class="text">${other.token.replaceAll("\n", "⏎").replaceAll(" ", "·")}</span><${Bar} share=${Math.exp(other.logprob)} /></li>`)}</ul>`}
    </section>
  `;
}

/** The same as text, for those who cannot see the colors. @param {{tokens: Shown[]}} props */
function Table({ tokens }) {
  return html`
    <div class="table" tabindex="0" role="region" aria-label=${t("heat.table")}>
      <table>
        <thead><tr><th scope="col">#</th><th scope="col">${t("heat.token")}</th><th scope="col">${t("heat.probability")}</th><th scope="col">log p</th><th scope="col">${t("heat.rank")}</th></tr></thead>
        <tbody>
          ${tokens.map(
            (token, index) => html`
              <tr><td>${index + 1}</td><td><code>${JSON.stringify(token.text).slice(1, -1)}</code></td>
                <td>${token.logprob === null ? "–" : percent(Math.exp(token.logprob))}</td>
                <td>${token.logprob === null ? "–" : number(token.logprob, { maximumFractionDigits: 3 })}</td><td>${token.rank ?? "–"}</td></tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
