// The history, in this browser's IndexedDB: one record a message, so that writing one never puts the others at risk.
import { openDB } from "idb";
import { isConversation, isMessage } from "./check.js";

/** @type {Promise<import("idb").IDBPDatabase> | null} */
let opened = null;
/** @type {Promise<boolean> | undefined} */
let askedToPersist;

function database() {
  opened ??= openDB("glmkit", 1, {
    upgrade(db) {
      db.createObjectStore("conversations", { keyPath: "id" });
      db.createObjectStore("messages", { keyPath: "id" }).createIndex("conversation", "conversation");
    },
    blocking: (_, __, event) => /** @type {any} */ (event.target).close(),
  });
  return opened;
}

/** Tabs tell each other which conversation changed; "" is the list. */
const channel = new BroadcastChannel("glmkit");
/** @param {(id: string) => void} listener called for changes by other tabs */
export const onChange = (listener) => channel.addEventListener("message", (event) => listener(event.data));

/** Sound records, newest first, and how many are damaged and were passed over. */
export async function listConversations() {
  const all = await (await database()).getAll("conversations");
  const sound = all.filter(isConversation).sort((a, b) => b.updated - a.updated);
  return { conversations: sound, damaged: all.length - sound.length };
}

/** @param {string} id @returns {Promise<import("./tree.js").Message[]>} */
export async function readMessages(id) {
  return (await (await database()).getAllFromIndex("messages", "conversation", id)).filter(isMessage);
}

/** @param {import("./check.js").Conversation} conversation @param {import("./tree.js").Message[]} [messages] */
export async function save(conversation, messages = []) {
  const transaction = (await database()).transaction(["conversations", "messages"], "readwrite");
  await Promise.all([
    transaction.objectStore("conversations").put(conversation),
    ...messages.map((message) => transaction.objectStore("messages").put(message)),
    transaction.done,
  ]);
  channel.postMessage(conversation.id);
  askedToPersist ??= navigator.storage?.persist?.().catch(() => false); // so that a full disk does not cost the history
}

/** @param {string} id */
export async function remove(id) {
  const transaction = (await database()).transaction(["conversations", "messages"], "readwrite");
  await transaction.objectStore("conversations").delete(id);
  for await (const cursor of transaction.objectStore("messages").index("conversation").iterate(id))
    await cursor.delete();
  await transaction.done;
  channel.postMessage("");
}

/** Removes every record, damaged ones too. */
export async function removeAll() {
  const transaction = (await database()).transaction(["conversations", "messages"], "readwrite");
  await Promise.all([
    transaction.objectStore("conversations").clear(),
    transaction.objectStore("messages").clear(),
    transaction.done,
  ]);
  channel.postMessage("");
}

/** @returns {Promise<import("./check.js").Chat[]>} */
export async function readAll() {
  const { conversations } = await listConversations();
  return Promise.all(
    conversations.map(async (conversation) => ({ conversation, messages: await readMessages(conversation.id) })),
  );
}
