// Markdown in the page: a text that is finished, or one that still grows.
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { language, t } from "../lib/i18n.js";
import { GrowingText, drawWhole } from "./growing_text.js";

const labels = () => ({ copy: t("copy") });

/**
 * A text that is finished, or that `source` still adds to. What was drawn while it grew stays when it ends, unless the
 * whole text reads otherwise.
 * @param {{text: string, source: {message: {content: string}, onText: (piece: string) => void} | null,
 *   follow: {before: () => void, after: () => void}}} props
 */
export function Markdown({ text, source, follow }) {
  const place = useRef(/** @type {any} */ (null));
  const drawn = useRef("");
  useLayoutEffect(() => {
    if (!source) return undefined;
    const view = new GrowingView(place.current, follow.before, follow.after);
    view.push(source.message.content);
    source.onText = (piece) => view.push(piece);
    return () => {
      source.onText = () => {};
      view.finish();
      drawn.current = `${language.value} ${source.message.content}`;
    };
  }, [source]);
  useLayoutEffect(() => {
    const now = `${language.value} ${text}`;
    if (source || drawn.current === now) return;
    place.current.replaceChildren();
    drawWhole(place.current, text, labels());
    drawn.current = now;
  }, [source, text, language.value]);
  return html`<div class="markdown" ref=${place}></div>`;
}

/** Shows a text as it arrives: at most once a frame, and less often when drawing takes long. */
class GrowingView {
  /** @param {HTMLElement} place @param {() => void} beforeDraw @param {() => void} afterDraw */
  constructor(place, beforeDraw, afterDraw) {
    place.replaceChildren();
    this.text = new GrowingText(place, labels());
    this.beforeDraw = beforeDraw;
    this.afterDraw = afterDraw;
    this.waiting = "";
    this.timer = 0;
    this.earliest = 0;
  }

  /** @param {string} piece */
  push(piece) {
    this.waiting += piece;
    if (this.timer === 0) {
      this.timer = window.setTimeout(
        () => requestAnimationFrame(() => this.draw()),
        Math.max(0, this.earliest - performance.now()),
      );
    }
  }

  draw() {
    this.timer = 0;
    if (this.waiting === "") return;
    const began = performance.now();
    this.beforeDraw();
    const piece = this.waiting;
    this.waiting = "";
    this.text.push(piece);
    this.afterDraw();
    this.earliest = performance.now() + Math.max(30, 4 * (performance.now() - began));
  }

  finish() {
    clearTimeout(this.timer);
    this.draw();
    this.text.finish();
  }
}
