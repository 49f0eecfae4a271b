// Markup as tagged templates, which become elements without any HTML being parsed.
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
