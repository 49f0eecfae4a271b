// Tokens of Markdown as elements. Nothing here parses HTML: text becomes text nodes, and attributes are the few named.
import { highlight } from "./highlight.js";
import { formula } from "./formula.js";

/** @typedef {import("markdown-it").Token} Token */
/** @typedef {{copy: string}} Labels words for the buttons */

const BLOCKS = /** @type {Record<string, string>} */ ({
  paragraph_open: "p",
  bullet_list_open: "ul",
  ordered_list_open: "ol",
  list_item_open: "li",
  blockquote_open: "blockquote",
  thead_open: "thead",
  tbody_open: "tbody",
  tr_open: "tr",
  strong_open: "strong",
  em_open: "em",
  s_open: "s",
});
const SAFE_LINK = /^(https?:|mailto:)/i;

/** @param {string} tag @param {string} [className] @param {string} [text] */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** The element that a token opens, and the one that takes what follows. @param {Token} token @returns {[Element, Element]} */
export function opened(token) {
  if (token.type === "heading_open") {
    // A message stands below the page's own headings.
    const made = element(`h${Math.min(6, Number(token.tag[1]) + 2)}`);
    return [made, made];
  }
  if (token.type === "table_open") {
    const frame = element("div", "table");
    frame.tabIndex = 0; // it scrolls, so the keyboard must reach it
    const table = element("table");
    frame.append(table);
    return [frame, table];
  }
  if (token.type === "th_open" || token.type === "td_open") {
    const align = /text-align:(\w+)/.exec(String(token.attrGet("style")))?.[1];
    const cell = element(token.tag, align ? `align-${align}` : "");
    return [cell, cell];
  }
  if (token.type === "link_open") {
    const href = String(token.attrGet("href"));
    const link = element(SAFE_LINK.test(href) ? "a" : "span");
    if (link.tagName.toLowerCase() === "a") {
      link.setAttribute("href", href);
      link.setAttribute("target", "_blank");
      link.setAttribute("rel", "noopener noreferrer nofollow");
    }
    return [link, link];
  }
  const made = element(BLOCKS[token.type] ?? "div");
  const start = token.type === "ordered_list_open" ? token.attrGet("start") : null;
  if (start !== null) made.setAttribute("start", String(start));
  return [made, made];
}

/** @param {Token} token @param {Labels} labels @param {boolean} inCell @returns {Node} */
export function leaf(token, labels, inCell) {
  switch (token.type) {
    case "text":
    case "text_special":
      return inCell ? withBreaks(token.content) : document.createTextNode(token.content);
    case "softbreak":
      return document.createTextNode("\n");
    case "hardbreak":
      return element("br");
    case "code_inline":
      return element("code", "", token.content);
    case "fence":
    case "code_block":
      return codeBlock(token, labels, highlight(token.content, languageOf(token)));
    case "hr":
      return element("hr");
    case "image":
      // A picture's address could carry the conversation away: it is named and not fetched.
      return document.createTextNode(`[${token.content || "image"}]`);
    case "math_inline":
      return formula(token.content, token.meta?.display === true);
    case "math_block":
      return token.meta?.closed ? formula(token.content, true) : element("p", "", `${token.markup}${token.content}`);
    default:
      return document.createTextNode(token.content);
  }
}

/** Models write line breaks inside table cells as <br>. @param {string} text */
function withBreaks(text) {
  const fragment = document.createDocumentFragment();
  text.split(/<br\s*\/?>/i).forEach((part, index) => {
    if (index) fragment.append(element("br"));
    fragment.append(part);
  });
  return fragment;
}

const languageOf = (/** @type {Token} */ token) => token.info.trim().split(/\s+/)[0] ?? "";

/** @param {Token} token @param {Labels} labels @param {Node} content */
export function codeBlock(token, labels, content) {
  const figure = element("figure", "code");
  const caption = element("figcaption");
  const button = element("button", "quiet", labels.copy);
  button.setAttribute("type", "button");
  button.dataset.copy = "";
  caption.append(element("span", "", languageOf(token)), button);
  const pre = element("pre");
  pre.tabIndex = 0;
  const code = element("code");
  code.append(content);
  pre.append(code);
  figure.append(caption, pre);
  return figure;
}
