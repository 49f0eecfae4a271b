// Requests to the server that served the page, with the key if one was given.
import { signal } from "@preact/signals";
import { sseData } from "./sse.js";

const LONGEST = 8; // milliseconds of events without a pause

/** The key lasts as long as the tab, and is never part of an address or an export. */
export const key = signal(sessionStorage.getItem("glmkit.key") ?? "");
/** True after the server asked for a key. */
export const keyWanted = signal(false);

/** @param {string} value */
export function setKey(value) {
  key.value = value.trim();
  sessionStorage.setItem("glmkit.key", key.value);
  keyWanted.value = false;
}

/** What a server answered instead of a result. */
export class ApiError extends Error {
  /** @param {string} message @param {number} status @param {number | null} retryAfter seconds */
  constructor(message, status, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/**
 * Requests that the server had no place for, and that are sent again when it said.
 * @typedef {{message: string, at: number, now: () => void, cancel: () => void}} Waiting `at` as Date.now() counts
 * @type {import("@preact/signals").Signal<Waiting[]>}
 */
export const waiting = signal([]);

/**
 * Ends after the seconds that an error asks for, or at once when the user wants it. Throws the error when the user does
 * not want to wait, and what an aborted request throws when it is.
 * @param {ApiError} error @param {AbortSignal} [abort]
 */
async function wait(error, abort) {
  const seconds = /** @type {number} */ (error.retryAfter);
  /** @type {Waiting | undefined} */
  let entry;
  try {
    await new Promise((resolve, reject) => {
      entry = {
        message: error.message,
        at: Date.now() + 1000 * seconds,
        now: () => resolve(undefined),
        cancel: () => reject(error),
      };
      waiting.value = [...waiting.value, entry];
      setTimeout(resolve, 1000 * seconds);
      abort?.addEventListener("abort", () => reject(abort.reason));
    });
  } finally {
    waiting.value = waiting.value.filter((one) => one !== entry);
  }
}

/**
 * @param {string} path below the page's own address, so that a proxy may put the page anywhere
 * @param {unknown} body sent as JSON by POST; without one it is a GET
 * @param {AbortSignal} [abort]
 */
async function sendOnce(path, body, abort) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (key.value) headers.authorization = `Bearer ${key.value}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(new URL(path, document.baseURI), {
    method: body === undefined ? "GET" : "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: abort,
    cache: "no-store",
    redirect: "error",
  });
  if (response.ok) return response;
  if (response.status === 401 && body !== undefined) keyWanted.value = true; // what the user started, not what is polled
  const answer = await response.json().catch(() => null);
  const seconds = Number(response.headers.get("retry-after"));
  const message = answer?.error?.message ?? `HTTP ${response.status}`;
  throw new ApiError(message, response.status, seconds > 0 ? seconds : null);
}

/** Sends what the user started again for as long as the server is busy. @param {string} path @param {unknown} [body] @param {AbortSignal} [abort] */
async function send(path, body, abort) {
  for (;;) {
    try {
      return await sendOnce(path, body, abort);
    } catch (error) {
      const busy = error instanceof ApiError && error.retryAfter !== null && [429, 503].includes(error.status);
      if (!busy || body === undefined) throw error;
      await wait(error, abort);
    }
  }
}

/** @param {string} path @param {unknown} [body] @param {AbortSignal} [abort] @returns {Promise<any>} */
export async function request(path, body, abort) {
  return (await send(path, body, abort)).json();
}

/**
 * The events of a stream as objects. Ends without an error only after [DONE].
 * @param {string} path @param {object} body @param {AbortSignal} abort
 * @returns {AsyncGenerator<any>}
 */
export async function* stream(path, body, abort) {
  const response = await send(path, { ...body, stream: true }, abort);
  let resumed = performance.now();
  for await (const data of sseData(response)) {
    if (data.startsWith("[DONE]")) return;
    const event = JSON.parse(data);
    if (event.error) throw new ApiError(event.error.message ?? "error", 200);
    yield event;
    // Events that came at once are taken one after another; between them the page must be able to draw.
    if (performance.now() - resumed > LONGEST) {
      await new Promise((resolve) => setTimeout(resolve));
      resumed = performance.now();
    }
  }
  throw new CutOff();
}

/** The connection closed before the stream said that it was whole. */
export class CutOff extends Error {}
