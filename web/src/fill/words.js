// The text as words to click: each becomes a blank, and a blank the words that it stands for.
import { html } from "../lib/html.js";
import { language, t } from "../lib/i18n.js";
import { useRoving } from "../ui/roving.js";
import { edit, picked } from "./state.js";
import { mask, merged, words } from "./source.js";

export function Words() {
  const { text, ranges } = picked.value;
  const blanked = merged(text, ranges);
  const parts = pieces(text, blanked);
  const items = parts.filter(({ isWord }) => isWord);
  const roving = useRoving(items.length);
  const toggle = (/** @type {{start: number, end: number, blank: boolean}} */ { start, end, blank }) => {
    const next = blank
      ? ranges.filter(([from, to]) => to <= start || from >= end)
      : [...ranges, /** @type {[number, number]} */ ([start, end])];
    picked.value = { text, ranges: next };
    edit(mask(text, next));
  };
  let index = -1;
  return html`
    <div class="words sheet" role="group" aria-label=${t("fill.words")} onKeyDown=${roving.onKeyDown}>
      ${parts.map((part, at) => {
        const before = at > 0 && parts[at - 1].isWord ? stuck(part.text) : "";
        if (!part.isWord) return part.text.slice(before.length);
        index += 1;
        const after = parts[at + 1];
        return html`
          <span class="unbroken"><button type="button" class=${part.blank ? "word blanked" : "word"} aria-pressed=${part.blank}
            ...${roving.item(index)} onClick=${() => toggle(part)}>${part.text}</button>${after && !after.isWord ? stuck(after.text) : ""}</span>
        `;
      })}
    </div>
  `;
}

/** What no line may begin with: the punctuation that follows a word. @param {string} text */
const stuck = (text) => /^[\p{Pe}\p{Pf}\p{Po}]*/u.exec(text)?.[0] ?? "";

/** @param {string} text @param {[number, number][]} blanked */
function pieces(text, blanked) {
  const result = [];
  let from = 0;
  for (const [start, end] of [...blanked, /** @type {[number, number]} */ ([text.length, text.length])]) {
    for (const word of words(text.slice(from, start), language.value)) {
      result.push({
        text: word.text,
        start: from + word.start,
        end: from + word.start + word.text.length,
        isWord: word.isWord,
        blank: false,
      });
    }
    if (end > start) result.push({ text: text.slice(start, end), start, end, isWord: true, blank: true });
    from = end;
  }
  return result;
}
