// A formula's place in a text. The code that sets formulas is fetched when the first one is there.

/** @type {Promise<{render: (tex: string, element: Element, display: boolean) => void}> | null} */
let loading = null;
/** @type {((tex: string, element: Element, display: boolean) => void) | null} */
let set = null;

/** @param {string} tex @param {boolean} display @returns {Node} */
export function formula(tex, display) {
  const place = document.createElement(display ? "div" : "span");
  place.className = display ? "math display" : "math";
  if (display) place.tabIndex = 0; // a wide one scrolls
  place.textContent = tex;
  if (set) {
    set(tex, place, display);
  } else {
    // Without it (the server went away, say) the formula stays as it was written.
    loading ??= import(MATH_URL).then((module) => {
      set = module.render;
      return module;
    });
    loading.then(
      (module) => module.render(tex, place, display),
      () => (loading = null),
    );
  }
  return place;
}
