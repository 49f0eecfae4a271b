// Formulas, in a file of their own that is fetched when the first one is shown.
import temml from "temml";

/**
 * Writes a TeX formula into an element as MathML.
 * @param {string} tex
 * @param {HTMLElement} element
 * @param {boolean} display
 */
export function render(tex, element, display) {
  temml.render(tex, element, {
    displayMode: display,
    throwOnError: false,
    maxExpand: 200,
    maxSize: [20, 20],
    trust: false,
  });
}
