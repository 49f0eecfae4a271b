// Markdown in the page: a text that is finished, or one that still grows.
import { useLayoutEffect, useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { language, t } from "../lib/i18n.js";
import { GrowingMarkdown, inlines, markdown } from "./blocks.js";
import { GrowingList, listLength } from "./growing_list.js";
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
    /** @type {Node[]} what is drawn of the tail: the last nodes of the place */
    this.tail = [];
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
    if (!this.extendCode(piece)) {
      const { done, tail, before } = this.growing.push(piece);
      if (done.length) this.settle(done, before);
      this.code = openFence(tail, this.growing.tail);
      this.replaceTail(this.code ? this.codeShell(tail[0]) : this.drawTail(tail));
    }
    this.afterDraw();
    this.earliest = performance.now() + Math.max(30, 4 * (performance.now() - began));
  }

  /** @param {import("markdown-it").Token[]} tokens blocks whose texts are not parsed yet */
  drawn(tokens) {
    return render(inlines(tokens, this.growing.environment), labels());
  }

  /** Puts what is final before the tail. @param {import("markdown-it").Token[]} done @param {string} text */
  settle(done, text) {
    let rest = done;
    if (this.list?.is(done)) {
      const length = listLength(done);
      this.list.update(done.slice(0, length), text);
      this.tail = []; // it stays where it is
      rest = done.slice(length);
    }
    this.list = undefined;
    this.replaceTail(this.drawn(rest));
    this.tail = [];
  }

  /** @param {Node} node an element, or a fragment */
  replaceTail(node) {
    if (this.tail.length === 1 && this.tail[0] === node) return; // a list that grows is there already
    for (const old of this.tail) /** @type {ChildNode} */ (old).remove();
    this.tail = node instanceof DocumentFragment ? [...node.childNodes] : [node];
    this.place.append(node);
  }

  /** @param {import("markdown-it").Token[]} tail @returns {Node} */
  drawTail(tail) {
    if (tail.length === 0 || listLength(tail) !== tail.length) {
      this.list = undefined;
      return this.drawn(tail);
    }
    if (!this.list?.is(tail)) this.list = new GrowingList(tail, (tokens) => this.drawn(tokens));
    this.list.update(tail, this.growing.tail);
    return this.list.element;
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
    const shell = render(
      [Object.assign(Object.create(Object.getPrototypeOf(token)), token, { content: "" })],
      labels(),
    );
    /** @type {any} */ (shell).querySelector("code").append(/** @type {Text} */ (this.code));
    return shell;
  }

  /** Draws what is left, and all of it again where a link may have been defined after its use. */
  finish() {
    clearTimeout(this.timer);
    this.draw();
    if (this.growing.definesLinks || this.growing.text.length > PLAIN_LIMIT) {
      this.place.replaceChildren(whole(this.growing.text));
    } else if (this.code) {
      this.replaceTail(render(markdown.parse(this.growing.tail, {}), labels())); // with its colors
    }
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
  return content === 0 || (content < text.length && lastLine.startsWith(tail[0].markup))
    ? undefined
    : document.createTextNode(text.slice(content));
}
