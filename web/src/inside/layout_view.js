// The layout of training as a table: tokens with both positions, and the order of the spans.
import { signal } from "@preact/signals";
import { html } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { partOf, reordered, shuffled, spans } from "./layout.js";
import { Mask } from "./mask.js";

/** The order that was chosen for the spans of a layout. */
const chosen = signal({ of: /** @type {import("./layout.js").Layout | null} */ (null), order: [0] });

/** @param {{layout: import("./layout.js").Layout}} props */
export function LayoutView({ layout: given }) {
  const asInText = spans(given).map((_, index) => index);
  const order = chosen.value.of === given ? chosen.value.order : asInText;
  const choose = (/** @type {number[]} */ next) => (chosen.value = { of: given, order: next });
  const layout = reordered(given, order);
  const list = spans(layout);
  const { tokens, positions, targets } = layout;
  const part = tokens.map((_, index) => `part${partOf(list, index) ? 1 + ((partOf(list, index) - 1) % 6) : 0}`);
  const row = (/** @type {string} */ name, /** @type {(index: number) => any} */ cell) => html`
    <tr><th scope="row">${name}</th>${tokens.map((_, index) => html`<td class=${part[index]}>${cell(index)}</td>`)}</tr>
  `;
  return html`
    <section aria-labelledby="layout-title">
      <h2 id="layout-title">${t("layout")}</h2>
      <p class="lead">${t(positions.length > 1 ? "layout.explain" : "layout.explain.one")}</p>
      <div class="table layout" tabindex="0" role="region" aria-labelledby="layout-title">
        <table>
          <tbody>
            ${row(t("layout.index"), (index) => index)}
            ${row(t("layout.token"), (index) => html`<code>${tokens[index].text}</code>`)}
            ${row(t("layout.position1"), (index) => positions[0][index])}
            ${positions.length > 1 && row(t("layout.position2"), (index) => positions[1][index])}
            ${targets && row(t("layout.target"), (index) => html`<code>${targets[index]?.text ?? ""}</code>`)}
          </tbody>
        </table>
      </div>
    </section>
    ${
      list.length > 0 &&
      html`
      <section aria-labelledby="order-title">
        <h2 id="order-title">${t("order")}</h2>
        ${
          list.length > 1 &&
          html`
            <p class="lead">${t("order.explain")}</p>
            <div class="row">
              <button type="button" onClick=${() => choose(shuffled(order))}>${t("order.shuffle")}</button>
              <button type="button" disabled=${String(order) === String(asInText)} onClick=${() => choose(asInText)}>
                ${t("order.text")}
              </button>
            </div>
          `
        }
        <ol class="order">
          ${list.map(
            ({ start, end, at }, index) => html`
              <li><span class=${`key part${1 + (index % 6)}`}>${t("mask.span", { n: index + 1 })}</span> ${t("order.at", { at })}
                <code>${tokens
                  .slice(start, end)
                  .map(({ text }) => text)
                  .join(" ")}</code></li>
            `,
          )}
        </ol>
      </section>
    `
    }
    <${Mask} layout=${layout} />
  `;
}
