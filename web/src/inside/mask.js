// The attention mask as a picture: a row for each token that looks, a column for each that is seen.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { download } from "../lib/files.js";
import { html } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { maskCsv, partOf, share, spans } from "./layout.js";

const LARGEST = 512; // squares of the picture's side; in a longer layout each stands for several tokens

/** @param {{layout: import("./layout.js").Layout}} props */
export function Mask({ layout }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const cell = useSignal({ row: 0, column: 0 });
  const all = layout.tokens.length;
  const by = Math.ceil(all / LARGEST);
  const count = Math.ceil(all / by);
  const within = (/** @type {number} */ value) => Math.min(count - 1, Math.max(0, value));
  const list = spans(layout);
  const size = Math.max(1, Math.min(18, Math.floor(640 / count)));
  const [row, column] = [within(cell.value.row), within(cell.value.column)];

  useEffect(() => {
    const paint = () => draw(/** @type {HTMLCanvasElement} */ (canvas.current), layout, list, by, size);
    paint();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", paint);
    const themes = new MutationObserver(paint);
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      dark.removeEventListener("change", paint);
      themes.disconnect();
    };
  }, [layout]);

  const move = (/** @type {number} */ down, /** @type {number} */ right) => {
    cell.value = { row: within(row + down), column: within(column + right) };
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const step = /** @type {Record<string, [number, number]>} */ ({
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    })[event.key];
    if (!step) return;
    event.preventDefault();
    move(...step);
  };
  const point = (/** @type {any} */ event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = (/** @type {number} */ offset, /** @type {number} */ length) =>
      within(Math.floor((offset / length) * count));
    cell.value = { row: at(event.clientY - box.top, box.height), column: at(event.clientX - box.left, box.width) };
  };
  // The cell that is looked at is an element over the picture, which is then drawn once.
  const place = (/** @type {HTMLElement | null} */ frame) => {
    frame?.style.setProperty("--row", String(row / count));
    frame?.style.setProperty("--column", String(column / count));
    frame?.style.setProperty("--size", String(1 / count));
  };
  const name = (/** @type {number} */ square) => {
    const [first, last] = [square * by, Math.min(all, (square + 1) * by) - 1];
    return first < last ? `${first}–${last}` : `${first} “${layout.tokens[first]?.text ?? ""}”`;
  };
  const seen = share(layout, row, column, by);
  return html`
    <section aria-labelledby="mask-title">
      <h2 id="mask-title">${t("mask")}</h2>
      <p class="legend">
        <span class="key part0">${t("mask.context")}</span>
        ${list.map((_, index) => html`<span class=${`key part${1 + (index % 6)}`}>${t("mask.span", { n: index + 1 })}</span>`)}
        <span class="key part-none">${t("mask.hidden")}</span>
      </p>
      ${by > 1 && html`<p class="note">${t("mask.squares", { n: all, by })}</p>`}
      <div class="mask-place">
        <div class="mask-frame" ref=${place}>
          <canvas
            ref=${canvas}
            width=${count * size}
            height=${count * size}
            tabindex="0"
            role="img"
            aria-label=${t("mask.label", { n: all })}
            aria-describedby="mask-cell mask-text"
            onKeyDown=${onKey}
            onPointerMove=${point}
            onPointerDown=${point}
          ></canvas>
          <span class="cell"></span>
        </div>
      </div>
      <p id="mask-cell" class="meta" aria-live="polite">
        ${t(seen === 1 ? "mask.sees" : seen ? "mask.part" : "mask.blind", { row: name(row), column: name(column) })}
      </p>
      <ul id="mask-text" class="sentences">
        <li>${t(layout.mask_rule === "prefix" ? "mask.text.prefix" : "mask.text.causal")}</li>
        ${list.map((_, index) => html`<li>${sentence(index)}</li>`)}
      </ul>
      <div class="row wrap">
        <button type="button" onClick=${() => canvas.current?.toBlob((blob) => blob && download("mask.png", blob))}>
          PNG
        </button>
        <button type="button" onClick=${() => download("mask.csv", maskCsv(layout), "text/csv")}>CSV</button>
      </div>
    </section>
  `;
}

/** What the tokens of a span see. @param {number} index */
function sentence(index) {
  const before = Array.from({ length: index }, (_, one) => one + 1).join(", ");
  return t(index ? "mask.text.later" : "mask.text.first", { n: index + 1, before });
}

/**
 * @param {HTMLCanvasElement} canvas @param {import("./layout.js").Layout} layout @param {import("./layout.js").Span[]} list
 * @param {number} by tokens of a square's side @param {number} size of a square in the picture
 */
function draw(canvas, layout, list, by, size) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  // A canvas does not know light-dark(): its own text color says what a color is now.
  const color = (/** @type {string} */ name) => {
    canvas.style.color = `var(${name})`;
    return getComputedStyle(canvas).color;
  };
  const colors = Array.from({ length: 7 }, (_, part) => color(`--part${part}`));
  const gap = size > 4 ? 1 : 0;
  const count = Math.ceil(layout.tokens.length / by);
  context.globalAlpha = 1;
  context.fillStyle = color("--part-none");
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (let column = 0; column < count; column++) {
    const part = partOf(list, column * by);
    context.fillStyle = colors[part ? 1 + ((part - 1) % 6) : 0];
    for (let row = 0; row < count; row++) {
      context.globalAlpha = share(layout, row, column, by);
      context.fillRect(column * size, row * size, size - gap, size - gap);
    }
  }
}
