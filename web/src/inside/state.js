// What is looked at: a text, a conversation, or a text with blanks and what fills them.
import { signal } from "@preact/signals";

/** @typedef {{role: string, content: string}[]} Messages */

/** "heat" or "layout". */
export const tab = signal("heat");
export const text = signal("");
/** A conversation instead of the text, if one was sent here. @type {import("@preact/signals").Signal<Messages | null>} */
export const messages = signal(null);
/** @type {import("@preact/signals").Signal<string[]>} */
export const fillingTexts = signal([]);

/** Opens something here. @param {{text?: string, fillings?: string[], messages?: Messages}} what */
export function lookAt(what) {
  messages.value = what.messages ?? null;
  if (what.text !== undefined) {
    text.value = what.text;
    fillingTexts.value = what.fillings ?? [];
  }
  tab.value = what.fillings ? "layout" : "heat";
}
