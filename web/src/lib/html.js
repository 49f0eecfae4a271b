// Markup as tagged templates, which become elements without any HTML being parsed.
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);

/** A handler that is given the value of a field. @param {(value: string) => void} take */
export const withValue = (take) => (/** @type {any} */ event) => take(event.target.value);
