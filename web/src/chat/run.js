// One answer: the request, the stream and what becomes of it.
import { signal } from "@preact/signals";
import { CutOff, stream } from "../lib/api.js";
import { path } from "../lib/tree.js";
import { t } from "../lib/i18n.js";
import { explain, model, spoken } from "../ui/state.js";
import { sampling, toolList } from "./settings.js";
import { current, keep, keepOf, newId, put, running, tree } from "./state.js";

/** @typedef {import("../lib/tree.js").Message} Message */

const SAVE_EVERY = 2000; // milliseconds: a page that is closed keeps what it had
const MOST_CALLS = 128;
const SHOW_EVERY = 250; // milliseconds between two figures of the speed

/** The messages as the server takes them. @param {Message[]} messages */
export function toRequest(messages, system = current.value.system) {
  return [
    ...(system ? [{ role: "system", content: system }] : []),
    ...messages.map(({ role, content, tool_calls, tool_call_id }) => ({
      role,
      content,
      ...(tool_call_id ? { tool_call_id } : {}),
      ...(tool_calls?.length
        ? {
            tool_calls: tool_calls.map(({ id, name, arguments: text }) => ({
              id,
              type: "function",
              function: { name, arguments: text },
            })),
          }
        : {}),
    })),
  ];
}

/** An answer while it is written. */
export class Run {
  /** @param {Message} message @param {Message[]} before */
  constructor(message, before) {
    this.message = message;
    this.before = before;
    this.abort = new AbortController();
    this.began = performance.now();
    this.firstAt = 0;
    this.tokens = 0;
    this.firstTokens = 0;
    this.shownAt = 0; // when the speed was last written
    /** Tokens a second, since the first one. */
    this.speed = signal(0);
    /** True until the first token: the prompt is being read. */
    this.reading = signal(true);
    this.calls = signal(message.tool_calls ?? []);
    /** @type {(piece: string) => void} */
    this.onText = () => {};
  }

  stop() {
    this.abort.abort();
  }

  async go() {
    const { message } = this;
    const body = {
      model: model.value?.id,
      messages: toRequest(this.before),
      stream_options: { include_usage: true, continuous_usage_stats: true },
      ...sampling(),
      ...toolList(),
    };
    if (message.content) body.messages.push({ role: "assistant", content: message.content }); // goes on with it
    let saved = performance.now();
    message.finish = null;
    try {
      for await (const chunk of stream("v1/chat/completions", body, this.abort.signal)) {
        this.take(chunk);
        if (performance.now() - saved > SAVE_EVERY) {
          saved = performance.now();
          keep([message]);
        }
      }
      message.finish ??= "cut";
    } catch (error) {
      if (this.abort.signal.aborted) message.finish = "stopped";
      else if (error instanceof CutOff) message.finish ??= "cut";
      else Object.assign(message, { finish: "error", error: explain(error) });
    } finally {
      message.seconds = (performance.now() - this.began) / 1000;
      if (running.value === this) running.value = null;
      if (current.value.id === message.conversation) put([{ ...message }]);
      else keepOf(message); // another conversation was opened meanwhile
      spoken.value = t(message.finish === "error" ? "chat.failed" : "chat.finished", { n: message.content.length });
    }
  }

  /** @param {any} chunk */
  take(chunk) {
    const { message } = this;
    if (chunk.model) message.model = chunk.model;
    if (chunk.usage) message.usage = chunk.usage;
    const choice = chunk.choices?.[0];
    if (!choice) return;
    const { content, tool_calls } = choice.delta ?? {};
    if (content) {
      message.content += content;
      this.onText(content);
    }
    for (const part of tool_calls ?? []) this.takeCall(part);
    if (content || tool_calls) this.count(chunk.usage?.completion_tokens);
    if (choice.finish_reason) message.finish = choice.finish_reason;
  }

  /** @param {any} part of a call: the name comes first, the arguments in pieces */
  takeCall(part) {
    if (!(part.index >= 0 && part.index < MOST_CALLS)) return;
    const calls = [...(this.message.tool_calls ?? [])];
    const call = calls[part.index] ?? { id: "", name: "", arguments: "" };
    calls[part.index] = {
      id: part.id ?? call.id,
      name: part.function?.name ?? call.name,
      arguments: call.arguments + (part.function?.arguments ?? ""),
    };
    this.message.tool_calls = calls;
    this.calls.value = calls;
  }

  /** @param {number | undefined} total */
  count(total) {
    const now = performance.now();
    this.tokens = total ?? this.tokens + 1;
    if (this.firstAt === 0) {
      this.firstAt = now;
      this.firstTokens = this.tokens;
      this.reading.value = false;
    } else if (now > this.shownAt + SHOW_EVERY) {
      this.shownAt = now;
      this.speed.value = ((this.tokens - this.firstTokens) / (now - this.firstAt)) * 1000;
    }
  }
}

/** Starts an answer to the message `parent`, or goes on with one. @param {string} parent @param {Message} [started] */
export function answer(parent, started) {
  running.value?.stop();
  /** @type {Message} */
  const message = started
    ? { ...started, error: undefined }
    : {
        id: newId(),
        conversation: current.value.id,
        parent,
        role: "assistant",
        content: "",
        created: Date.now(),
        sampling: sampling(),
      };
  put([message], message.id);
  const run = new Run(message, path(tree.value, parent));
  running.value = run;
  spoken.value = t("chat.writing");
  return run.go();
}

/** Says something at the end of the branch, or instead of an earlier message. @param {string} content @param {string | null} parent */
export function say(content, parent) {
  const message = {
    id: newId(),
    conversation: current.value.id,
    parent,
    role: /** @type {const} */ ("user"),
    content,
    created: Date.now(),
  };
  put([message], message.id);
  return answer(message.id);
}

/**
 * What the tools answered, after which the model goes on.
 * @param {Message} asked @param {Record<string, string>} results by call id
 */
export function giveResults(asked, results) {
  /** @type {string} */
  let parent = asked.id;
  const messages = (asked.tool_calls ?? []).map((call) => {
    const message = {
      id: newId(),
      conversation: current.value.id,
      parent,
      role: /** @type {const} */ ("tool"),
      content: results[call.id] ?? "",
      tool_call_id: call.id,
      created: Date.now(),
    };
    parent = message.id;
    return message;
  });
  put(messages, parent);
  return answer(parent);
}

addEventListener("pagehide", () => running.value?.stop());
