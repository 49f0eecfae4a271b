// What is different between the filled text and another, word by word.
import { diffArrays } from "diff";
import { html } from "../lib/html.js";
import { language, t } from "../lib/i18n.js";
import { filled } from "./state.js";
import { words } from "./source.js";

/** @param {{against: string}} props */
export function Difference({ against }) {
  // A word keeps the space behind it, or two texts would meet in nothing but their spaces.
  const split = (/** @type {string} */ text) =>
    words(text, language.value).reduce((/** @type {string[]} */ all, word) => {
      if (all.length && word.text.trim() === "") all[all.length - 1] += word.text;
      else all.push(word.text);
      return all;
    }, []);
  const parts = diffArrays(split(against), split(filled.value));
  return html`
    <section class="difference" aria-label=${t("fill.compare")}>
      <p class="sheet">
        ${parts.map(({ added, removed, value }) => {
          const text = value.join("");
          if (added) return html`<ins>${text}</ins>`;
          return removed ? html`<del>${text}</del>` : text;
        })}
      </p>
    </section>
  `;
}
