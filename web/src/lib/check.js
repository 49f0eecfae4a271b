// What a record of the history must be like. Databases and files that people import may hold anything.

const ROLES = new Set(["user", "assistant", "tool"]);
const FORMAT = "glmkit-chats";
export const IMPORT_LIMIT = 64 * 2 ** 20; // bytes

/** @param {any} value @returns {value is import("./tree.js").Message} */
export const isMessage = (value) =>
  typeof value?.id === "string" &&
  typeof value.conversation === "string" &&
  (value.parent === null || typeof value.parent === "string") &&
  ROLES.has(value.role) &&
  typeof value.content === "string" &&
  Number.isFinite(value.created) &&
  (value.tool_calls === undefined ||
    (Array.isArray(value.tool_calls) &&
      value.tool_calls.every(
        (/** @type {any} */ call) => typeof call?.name === "string" && typeof call.arguments === "string",
      )));

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} title
 * @property {number} created
 * @property {number} updated
 * @property {string | null} leaf the message whose path is shown
 * @property {string} [system]
 */

/** @param {any} value @returns {value is Conversation} */
export const isConversation = (value) =>
  typeof value?.id === "string" &&
  typeof value.title === "string" &&
  Number.isFinite(value.created) &&
  Number.isFinite(value.updated) &&
  (value.leaf === null || typeof value.leaf === "string") &&
  (value.system === undefined || typeof value.system === "string");

/** @typedef {{conversation: Conversation, messages: import("./tree.js").Message[]}} Chat a whole tree, not only the branch shown */

/** @param {Chat[]} chats */
export const toFile = (chats) => JSON.stringify({ format: FORMAT, version: 1, chats }, null, 1);

/**
 * Reads a file that `toFile` wrote. Conversations get new ids, so that an import never overwrites.
 * @param {string} text @param {() => string} newId @returns {Chat[]}
 */
export function fromFile(text, newId) {
  const file = JSON.parse(text);
  if (file?.format !== FORMAT || file.version !== 1 || !Array.isArray(file.chats)) throw new Error(FORMAT);
  return file.chats.map((/** @type {any} */ chat) => {
    if (!isConversation(chat?.conversation) || !Array.isArray(chat.messages) || !chat.messages.every(isMessage)) {
      throw new Error(FORMAT);
    }
    const ids = new Map(chat.messages.map((/** @type {any} */ message) => [message.id, newId()]));
    const id = newId();
    return {
      conversation: { ...chat.conversation, id, leaf: ids.get(chat.conversation.leaf) ?? null },
      messages: chat.messages.map((/** @type {any} */ message) => ({
        ...message,
        id: ids.get(message.id),
        conversation: id,
        parent: ids.get(message.parent) ?? null,
      })),
    };
  });
}
