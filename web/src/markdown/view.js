// Markdown in the page: a text that is finished, or one that still grows.
import { useEffect, useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { language, t } from "../lib/i18n.js";
import { GrowingMarkdown, markdown } from "./blocks.js";
import { element, render } from "./render.js";

const PLAIN_LIMIT = 200_000; // characters; longer texts are shown as they are

const labels = () => ({ copy: t("copy") });

/** @param {string} text @returns {Node} */
function whole(text) {
  return text.length > PLAIN_LIMIT ? element("pre", "", text) : render(markdown.parse(text, {}), labels());
}

/**
 * A text that is finished, or that `source` still adds to. What was drawn while it grew stays when it ends, unless the
 * whole text reads otherwise.
 * @param {{text: string, source: {message: {content: string}, onText: (piece: string) => void} | null,
 *   follow: {before: () => void, after: () => void}}} props
 */
export function Markdown({ text, source, follow }) {
  const place = useRef(/** @type {any} */ (null));
  const drawn = useRef("");
  useEffect(() => {
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
  useEffect(() => {
    const now = `${language.value} ${text}`;
    if (source || drawn.current === now) return;
    place.current.replaceChildren(whole(text));
    drawn.current = now;
  }, [source, text, language.value]);
  return html`<div class="markdown" ref=${place}></div>`;
}

/**
 * Shows a text as it arrives. Finished blocks are never touched again, so a selection in them survives; the tail is
 * drawn at most once a frame, and less often when drawing it takes long.
 */
export class GrowingView {
  /** @param {HTMLElement} place @param {() => void} beforeDraw @param {() => void} afterDraw */
  constructor(place, beforeDraw, afterDraw) {
    this.place = place;
    place.replaceChildren();
    this.beforeDraw = beforeDraw;
    this.afterDraw = afterDraw;
    this.growing = new GrowingMarkdown();
    this.tail = place.appendChild(element("div", "tail"));
    this.waiting = "";
    this.timer = 0;
    this.earliest = 0;
  }

  /** @param {string} piece */
  push(piece) {
    this.waiting += piece;
    if (this.timer === 0) {
      this.timer = window.setTimeout(() => requestAnimationFrame(() => this.draw()), Math.max(0, this.earliest - performance.now()));
    }
  }

  draw() {
    this.timer = 0;
    if (this.waiting === "") return;
    const began = performance.now();
    this.beforeDraw();
    const piece = this.waiting;
    this.waiting = "";
    if (!this.extendCode(piece)) {
      const { done, tail } = this.growing.push(piece);
      if (done.length) this.tail.before(render(done, labels()));
      this.code = openFence(tail, this.growing.text.slice(this.growing.from));
      this.tail.replaceChildren(this.code ? this.codeShell(tail[0]) : render(tail, labels()));
    }
    this.afterDraw();
    this.earliest = performance.now() + Math.max(30, 4 * (performance.now() - began));
  }

  /** A fence that is still open takes lines as they come: parsing a long program again for each would be slow. */
  extendCode(/** @type {string} */ piece) {
    if (!this.code || /[`~]/.test(piece) || /[`~]$/.test(this.growing.text)) return false;
    this.growing.text += piece;
    this.code.appendData(piece);
    return true;
  }

  /** @param {import("markdown-it").Token} token */
  codeShell(token) {
    const shell = render([Object.assign(Object.create(Object.getPrototypeOf(token)), token, { content: "" })], labels());
    /** @type {any} */ (shell).querySelector("code").append(/** @type {Text} */ (this.code));
    return shell;
  }

  /** Draws what is left, and all of it again where a link was defined after its use. */
  finish() {
    clearTimeout(this.timer);
    this.draw();
    this.tail.replaceWith(...this.tail.childNodes);
    const final = /** @type {Element} */ (this.place.cloneNode());
    final.append(whole(this.growing.text));
    if (!final.isEqualNode(this.place)) this.place.replaceChildren(...final.childNodes);
  }
}

/**
 * The text of a fence that has not closed, where the tail is just that.
 * @param {import("markdown-it").Token[]} tail @param {string} text of the tail @returns {Text | undefined}
 */
function openFence(tail, text) {
  if (tail.length !== 1 || tail[0].type !== "fence") return undefined;
  const content = text.indexOf("\n", text.search(/\S/)) + 1; // after the line of the fence, which must be whole
  const lastLine = text.slice(text.trimEnd().lastIndexOf("\n") + 1).trim();
  return content === 0 || (content < text.length && lastLine.startsWith(tail[0].markup)) ? undefined : document.createTextNode(text.slice(content));
}
