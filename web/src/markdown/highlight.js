// Colors for code, by class names alone.
import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";

const LIMIT = 20_000; // characters; more is shown plain, or coloring would hold up the page

const lowlight = createLowlight({ bash, cpp, go, java, javascript, json, python, rust, sql, typescript, xml, yaml });
lowlight.registerAlias({ cpp: ["c", "h"] }); // near enough, and a grammar less to fetch

/** @param {string} code @param {string} name the language as the fence names it @returns {Node} */
export function highlight(code, name) {
  if (code.length > LIMIT || !lowlight.registered(name.toLowerCase())) return document.createTextNode(code);
  const fragment = document.createDocumentFragment();
  append(fragment, lowlight.highlight(name.toLowerCase(), code).children);
  return fragment;
}

/** @param {Node} parent @param {any[]} nodes */
function append(parent, nodes) {
  for (const node of nodes) {
    if (node.type === "text") {
      parent.appendChild(document.createTextNode(node.value));
    } else {
      const span = document.createElement("span");
      span.className = node.properties.className.join(" ");
      append(span, node.children);
      parent.appendChild(span);
    }
  }
}
