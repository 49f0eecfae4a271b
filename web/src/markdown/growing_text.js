// A text on the page that grows at its end.
import { GrowingMarkdown, blocks } from "./blocks.js";
import { Reconciler, branches, markOpen } from "./reconcile.js";
import { element } from "./render.js";

/** @typedef {import("./render.js").Labels} Labels */

const PLAIN_LIMIT = 200_000; // characters; longer texts are shown as they are

/** Draws a text that is whole. @param {Node} place that is empty @param {string} text @param {Labels} labels */
export function drawWhole(place, text, labels) {
  if (text.length > PLAIN_LIMIT) {
    place.appendChild(element("pre", "", text));
    return;
  }
  const environment = {};
  new Reconciler(environment, labels).update(place, [], branches(blocks(text, environment)));
}

/** Blocks that are final are never touched again, so a selection in them survives. */
export class GrowingText {
  /** @param {Element} place @param {Labels} labels */
  constructor(place, labels) {
    this.place = place;
    this.labels = labels;
    this.growing = new GrowingMarkdown();
    this.reconciler = new Reconciler(this.growing.environment, labels);
    /** @type {import("./reconcile.js").Branch[]} what the tail is drawn as */
    this.tail = [];
    /** @type {Node | null} the last node of what is final */
    this.final = null;
  }

  /** @param {string} piece */
  push(piece) {
    const { done, tail } = this.growing.push(piece);
    const next = branches([...done, ...tail]);
    const count = branches(done).length;
    markOpen(next.slice(count));
    this.reconciler.update(this.place, this.tail, next, this.final);
    this.final = next[count - 1]?.last ?? this.final;
    this.tail = next.slice(count);
  }

  /** Gives code at the end its colors, and draws all again where a link may have been defined after its use. */
  finish() {
    const { text, definesLinks, environment } = this.growing;
    if (definesLinks || text.length > PLAIN_LIMIT) {
      this.place.replaceChildren();
      drawWhole(this.place, text, this.labels);
    } else {
      this.reconciler.update(this.place, this.tail, branches(blocks(this.growing.tail, environment)), this.final);
    }
  }
}
