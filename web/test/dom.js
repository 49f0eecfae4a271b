// As much of a document as the renderer asks for, so that its output can be compared without a browser.

let made = 0;
/** How many nodes were put into others until now. */
export const count = () => made;

class Node {
  /** @param {string} tagName @param {string} [text] */
  constructor(tagName, text = "") {
    this.tagName = tagName;
    this.text = text;
    this.attributes = {};
    this.dataset = {};
    this.childNodes = [];
    this.className = "";
  }
  appendChild(node) {
    made += 1;
    if (node.tagName === "#fragment") this.childNodes.push(...node.childNodes);
    else this.childNodes.push(node);
    return node;
  }
  append(...nodes) {
    for (const node of nodes) this.appendChild(typeof node === "string" ? new Node("#text", node) : node);
  }
  get lastChild() {
    return this.childNodes.at(-1) ?? null;
  }
  removeChild(node) {
    this.childNodes.splice(this.childNodes.indexOf(node), 1);
    return node;
  }
  replaceChildren() {
    this.childNodes = [];
  }
  appendData(text) {
    this.text += text;
  }
  setAttribute(name, value) {
    this.attributes[name] = String(value);
  }
  set textContent(text) {
    this.childNodes = [new Node("#text", text)];
  }
}

globalThis.document = {
  createElement: (name) => new Node(name.toUpperCase()),
  createTextNode: (text) => new Node("#text", text),
  createDocumentFragment: () => new Node("#fragment"),
};
globalThis.MATH_URL = "./no-such-file.js";

/** The tree as a text; neighboring texts are one. */
export function serialize(node) {
  if (node.tagName === "#text") return node.text.replaceAll("<", "&lt;");
  const inner = node.childNodes.map(serialize).join("");
  if (node.tagName === "#fragment") return inner;
  const attributes = Object.entries({ ...(node.className ? { class: node.className } : {}), ...node.attributes });
  return `<${[node.tagName.toLowerCase(), ...attributes.map(([name, value]) => `${name}=${JSON.stringify(value)}`)].join(" ")}>${inner}</>`;
}
