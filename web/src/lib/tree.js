// A conversation is a tree of messages: each names its parent, and an edit or a second answer is a sibling.

/**
 * @typedef {object} Message
 * @property {string} id
 * @property {string} conversation
 * @property {string | null} parent
 * @property {"user" | "assistant" | "tool"} role
 * @property {string} content
 * @property {number} created milliseconds; siblings are in this order
 * @property {{id: string, name: string, arguments: string}[]} [tool_calls]
 * @property {string} [tool_call_id]
 * @property {string | null} [finish] stop, length, tool_calls; stopped by the user; cut off; error
 * @property {string} [error]
 * @property {string} [model]
 * @property {object} [sampling]
 * @property {{prompt_tokens: number, completion_tokens: number, total_tokens: number}} [usage]
 * @property {number} [seconds]
 */

/** @typedef {Map<string, Message>} Tree */

/** From the first message to one. @param {Tree} tree @param {string | null} leaf @returns {Message[]} */
export function path(tree, leaf) {
  const messages = [];
  const seen = new Set(); // a damaged history may hold a circle
  for (let at = leaf; at !== null && !seen.has(at);) {
    const message = tree.get(at);
    if (!message) break;
    seen.add(at);
    messages.push(message);
    at = message.parent;
  }
  return messages.reverse();
}

/** Messages with one parent, oldest first. @param {Tree} tree @param {string | null} parent */
export const children = (tree, parent) =>
  [...tree.values()].filter((message) => message.parent === parent).sort((a, b) => a.created - b.created);

/** The newest message below one, or itself. @param {Tree} tree @param {string} id */
export function newestBelow(tree, id) {
  const seen = new Set([id]);
  for (let at = id; ;) {
    const next = children(tree, at).at(-1);
    if (!next || seen.has(next.id)) return at;
    seen.add(next.id);
    at = next.id;
  }
}
