import assert from "node:assert/strict";
import test from "node:test";
import { sseData, sseParser } from "../src/lib/sse.js";

const EVENTS = ['{"a": "你好 😀"}', "two\nlines", "", "[DONE]"];
const text = (end) =>
  [
    ": a comment",
    'data: {"a": "你好 😀"}',
    "",
    "event: named",
    "id: 7",
    "data: two",
    "data:lines",
    "",
    "data",
    "",
    "retry: 5",
    "",
    "data:[DONE]",
    "",
    "",
  ].join(end);

/** Events of bytes that arrive in pieces. */
async function read(pieces) {
  const body = new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const events = [];
  for await (const data of sseData(new Response(body))) events.push(data);
  return events;
}

for (const [name, end] of [
  ["LF", "\n"],
  ["CRLF", "\r\n"],
  ["CR", "\r"],
]) {
  test(`events are the same wherever the bytes are cut: ${name}`, async () => {
    const bytes = new TextEncoder().encode(text(end));
    for (let at = 0; at <= bytes.length; at++)
      assert.deepEqual(await read([bytes.slice(0, at), bytes.slice(at)]), EVENTS, `at ${at}`);
    assert.deepEqual(await read([...bytes].map((byte) => Uint8Array.of(byte))), EVENTS);
  });
}

test("what is left at the end of the connection is an event", async () => {
  assert.deepEqual(await read([new TextEncoder().encode("data: a\n\ndata: b")]), ["a", "b"]);
});

test("an event without an end is refused before it fills the memory", () => {
  const parser = sseParser(() => {});
  assert.throws(() => {
    for (let i = 0; i < 2000; i++) parser.push("data: ".padEnd(1000, "x"));
  }, /too long/);
});
