// Each token of a text by how probable it was, given those before it.
import { signal } from "@preact/signals";
import { html, withValue } from "../lib/html.js";
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
  const paint = scale(
    mode.value,
    tokens.map(({ logprob }) => logprob),
  );
  const drawn = tokens.slice(0, count.value);
  const { count: all, mean, perplexity } = summary(tokens);
  return html`
    <div class="toolbar">
      <select
        aria-label=${t("heat.scale")}
        value=${mode.value}
        onChange=${withValue((value) => (mode.value = /** @type {any} */ (value)))}
      >
        ${["absolute", "relative", "rank"].map((name) => html`<option value=${name}>${t(`heat.${name}`)}</option>`)}
      </select>
      <button type="button" aria-pressed=${asTable.value} onClick=${() => (asTable.value = !asTable.value)}>
        ${t("heat.table")}
      </button>
      <span class="meta">${t("heat.summary", {
        n: all,
        mean: number(mean, { maximumFractionDigits: 2 }),
        perplexity: number(perplexity, { maximumSignificantDigits: 4 }),
      })}</span>
    </div>
    <${Legend} />
    ${asTable.value ? html`<${Table} tokens=${drawn} />` : html`<${Flow} tokens=${drawn} paint=${paint} />`}
    ${
      tokens.length > drawn.length &&
      html`
        <button type="button" onClick=${() => (count.value += AT_ONCE)}>
          ${t("heat.more", { n: tokens.length - drawn.length })}
        </button>
      `
    }
  `;
}

function Legend() {
  if (mode.value === "rank") {
    const ranks = [0, 1, 2, 3].map((rank) => html`<span class=${`h rank${rank}`}>${t(`heat.rank${rank}`)}</span>`);
    return html`<p class="legend">${ranks}</p>`;
  }
  return html`
    <p class="legend">
      <span>${t("heat.sure")}</span>
      <span class="scale" aria-hidden="true">
        ${Array.from({ length: STEPS }, (_, index) => html`<i class=${`h h${index}`}></i>`)}
      </span>
      <span>${t("heat.surprised")}</span>
    </p>
  `;
}

/** @typedef {import("./tokens.js").Shown} Shown */

/** @param {number} logprob */
const threeDigits = (logprob) => number(logprob, { maximumFractionDigits: 3 });

/** @param {Shown} token */
function spoken({ text, logprob }) {
  const name = text.trim() === "" ? JSON.stringify(text) : text;
  return `${name}, ${logprob === null ? t("heat.first") : percent(Math.exp(logprob))}`;
}

/** @param {{tokens: Shown[], paint: (token: Shown) => string}} props */
function Flow({ tokens, paint }) {
  const roving = useRoving(tokens.length);
  const now = tokens[roving.at];
  const span = (/** @type {Shown} */ token, /** @type {number} */ index) => html`
    <span role="button" class=${paint(token)} aria-label=${spoken(token)} ...${roving.item(index)}>${token.text}</span>
  `;
  return html`
    <div class="heat-place">
      <div class="sheet heat-map" role="group" aria-label=${t("heat.map")} onKeyDown=${roving.onKeyDown}>
        ${tokens.map(span)}
      </div>
      ${now && html`<${Detail} token=${now} />`}
    </div>
  `;
}

/** Spaces and line ends made visible. @param {string} text */
const visible = (text) => text.replaceAll("\n", "⏎").replaceAll(" ", "·");

/** What is known about one token, and what else could have stood there. @param {{token: Shown}} props */
function Detail({ token }) {
  const { text, logprob, rank, top } = token;
  const place = rank ? ` · ${t("heat.place", { n: rank })}` : "";
  return html`
    <section class="detail" aria-label=${t("heat.detail")} aria-live="polite">
      <p><code>${visible(text)}</code> <small>${t("heat.ids", { ids: token.ids.join(" ") })}</small></p>
      <p>
        ${logprob === null ? t("heat.first") : `${percent(Math.exp(logprob))} · log p ${threeDigits(logprob)}${place}`}
      </p>
      <ul>
        ${top.map(
          (other) => html`
            <li><span class="text">${visible(other.token)}</span><${Bar} share=${Math.exp(other.logprob)} /></li>
          `,
        )}
      </ul>
    </section>
  `;
}

/** The same as text, for those who cannot see the colors. @param {{tokens: Shown[]}} props */
function Table({ tokens }) {
  const names = ["#", t("heat.token"), t("heat.probability"), "log p", t("heat.rank")];
  const row = (/** @type {Shown} */ { text, logprob, rank }, /** @type {number} */ index) => html`
    <tr>
      <td>${index + 1}</td>
      <td><code>${JSON.stringify(text).slice(1, -1)}</code></td>
      <td>${logprob === null ? "–" : percent(Math.exp(logprob))}</td>
      <td>${logprob === null ? "–" : threeDigits(logprob)}</td>
      <td>${rank ?? "–"}</td>
    </tr>
  `;
  return html`
    <div class="table" tabindex="0" role="region" aria-label=${t("heat.table")}>
      <table>
        <thead><tr>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>${tokens.map(row)}</tbody>
      </table>
    </div>
  `;
}
