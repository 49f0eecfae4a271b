// The conversations and the one that is shown.
import { computed, signal } from "@preact/signals";
import { listConversations, onChange, readMessages, remove, save } from "../lib/store.js";
import { newestBelow, path } from "../lib/tree.js";
import { t } from "../lib/i18n.js";
import { notify } from "../ui/state.js";

/** @typedef {import("../lib/tree.js").Message} Message */
/** @typedef {import("../lib/check.js").Conversation} Conversation */

/** @type {import("@preact/signals").Signal<Conversation[]>} */
export const conversations = signal([]);
/** How many records of the history were passed over. */
export const damaged = signal(0);
/** @type {import("@preact/signals").Signal<Conversation>} */
export const current = signal(blank());
/** @type {import("@preact/signals").Signal<Map<string, Message>>} */
export const tree = signal(new Map());
/** The messages shown, from the first to the leaf. */
export const shown = computed(() => path(tree.value, current.value.leaf));

/** Ids also where the page came by plain http, which has no randomUUID. */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns {Conversation} */
function blank() {
  const now = Date.now();
  return { id: newId(), title: "", created: now, updated: now, leaf: null, system: "" };
}

export async function refresh() {
  try {
    const listed = await listConversations();
    conversations.value = listed.conversations;
    damaged.value = listed.damaged;
  } catch (error) {
    storageFailed(error);
  }
}

export function start() {
  refresh();
  onChange(async (id) => {
    await refresh();
    if (id === current.value.id && !running.value) await openConversation(id);
  });
}

/** The answer that is being written, if one is. @type {import("@preact/signals").Signal<import("./run.js").Run | null>} */
export const running = signal(null);

/** @param {string} id */
export async function openConversation(id) {
  const conversation = conversations.value.find((one) => one.id === id);
  if (!conversation) return;
  const messages = await readMessages(id);
  tree.value = new Map(messages.map((message) => [message.id, message]));
  current.value = conversation;
}

export function startNew() {
  running.value?.stop();
  current.value = blank();
  tree.value = new Map();
}

/** Puts messages into the tree, shows the branch of one and keeps both. @param {Message[]} messages @param {string | null} [leaf] */
export function put(messages, leaf = current.value.leaf) {
  const next = new Map(tree.value);
  for (const message of messages) next.set(message.id, message);
  tree.value = next;
  const first = messages.find((message) => message.role === "user");
  const title = current.value.title || (first ? first.content.replace(/\s+/g, " ").trim().slice(0, 60) : "");
  current.value = { ...current.value, leaf, title, updated: Date.now() };
  keep(messages);
}

/** @param {Message[]} [messages] */
export async function keep(messages = []) {
  try {
    await save(current.value, messages);
    await refresh();
  } catch (error) {
    storageFailed(error);
  }
}

/** Keeps a message of a conversation that is not the one shown, unless it was deleted. @param {Message} message */
export async function keepOf(message) {
  const conversation = conversations.value.find(({ id }) => id === message.conversation);
  if (conversation) await save(conversation, [message]).catch(storageFailed);
}

/** Shows the newest branch through a message. @param {string} id */
export function showBranch(id) {
  current.value = { ...current.value, leaf: newestBelow(tree.value, id) };
  keep();
}

/** A copy of the branch up to a message, as a conversation of its own. @param {Message} last */
export function branchOut(last) {
  const from = current.value;
  const conversation = { ...blank(), title: `${from.title} · ${t("chat.copy")}`, system: from.system };
  /** @type {string | null} */
  let parent = null;
  const messages = path(tree.value, last.id).map((message) => {
    const copied = { ...message, id: newId(), conversation: conversation.id, parent };
    parent = copied.id;
    return copied;
  });
  tree.value = new Map();
  current.value = conversation;
  put(messages, parent);
}

/** @param {Conversation} conversation */
export async function deleteConversation(conversation) {
  const messages = await readMessages(conversation.id);
  await remove(conversation.id);
  if (conversation.id === current.value.id) startNew();
  await refresh();
  notify(t("chat.deleted", { title: conversation.title }), async () => {
    await save(conversation, messages);
    await refresh();
  });
}

/** @param {Conversation} conversation @param {string} title */
export async function rename(conversation, title) {
  if (conversation.id === current.value.id) current.value = { ...current.value, title };
  await save({ ...conversation, title });
  await refresh();
}

/** @param {any} error */
function storageFailed(error) {
  notify(
    t(error?.name === "QuotaExceededError" ? "error.full" : "error.storage", {
      message: String(error?.message ?? error),
    }),
  );
}
