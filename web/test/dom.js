// As much of a document as the renderer asks for, so that its output can be compared without a browser.

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
    if (node.tagName === "#fragment") this.childNodes.push(...node.childNodes);
    else this.childNodes.push(node);
    return node;
  }
  append(...nodes) {
    for (const node of nodes) this.appendChild(typeof node === "string" ? new Node("#text", node) : node);
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
