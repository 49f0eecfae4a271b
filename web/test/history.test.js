import assert from "node:assert/strict";
import test from "node:test";
import { fromFile, isConversation, isMessage, toFile } from "../src/lib/check.js";
import { children, newestBelow, path } from "../src/lib/tree.js";

const message = (id, parent, created, role = "user") => ({ id, conversation: "c", parent, role, content: id, created });
const tree = new Map(
  [
    message("a", null, 1),
    message("b", "a", 2, "assistant"),
    message("c", "a", 3, "assistant"),
    message("d", "b", 4),
  ].map((one) => [one.id, one]),
);
const conversation = { id: "c", title: "t", created: 1, updated: 2, leaf: "d" };

test("a branch is read from its first message, and its versions in order", () => {
  assert.deepEqual(
    path(tree, "d").map(({ id }) => id),
    ["a", "b", "d"],
  );
  assert.deepEqual(
    children(tree, "a").map(({ id }) => id),
    ["b", "c"],
  );
  assert.equal(newestBelow(tree, "b"), "d");
  assert.equal(newestBelow(tree, "a"), "c");
  assert.deepEqual(path(tree, "nobody"), []);
});

test("a circle in a damaged history ends", () => {
  const circle = new Map([message("a", "b", 1), message("b", "a", 2)].map((one) => [one.id, one]));
  assert.equal(path(circle, "a").length, 2);
  assert.ok(newestBelow(circle, "a"));
});

test("a file holds the whole tree and comes back under new ids", () => {
  let next = 0;
  const [chat] = fromFile(toFile([{ conversation, messages: [...tree.values()] }]), () => `new${next++}`);
  assert.equal(chat.messages.length, 4);
  assert.ok(chat.messages.every((one) => one.conversation === chat.conversation.id && one.id.startsWith("new")));
  const back = new Map(chat.messages.map((one) => [one.id, one]));
  assert.deepEqual(
    path(back, chat.conversation.leaf).map(({ content }) => content),
    ["a", "b", "d"],
  );
});

test("what is no history is refused", () => {
  for (const text of ["", "[]", "null", '{"format": "glmkit-chats", "version": 2, "chats": []}'])
    assert.throws(() => fromFile(text, () => "x"));
  const bad = (change) =>
    JSON.stringify({
      format: "glmkit-chats",
      version: 1,
      chats: [{ conversation, messages: [{ ...message("a", null, 1), ...change }] }],
    });
  for (const change of [{ role: "system" }, { content: null }, { created: "now" }, { tool_calls: [{ name: 1 }] }])
    assert.throws(() => fromFile(bad(change), () => "x"));
  assert.ok(!isMessage(null) && !isConversation({ id: "x" }));
});
