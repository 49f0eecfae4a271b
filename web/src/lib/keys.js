// What a key press means.

/**
 * Whether a key belongs to an input method that is composing: every handler of Enter asks this first, or choosing a
 * Chinese candidate would send the message. Safari says it by the key code 229 alone.
 * @param {KeyboardEvent} event
 */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

/** Whether the main pointer is a finger: there Enter makes a new line, as keyboards on screens have no Shift+Enter. */
export const isTouch = () => matchMedia("(pointer: coarse)").matches;
