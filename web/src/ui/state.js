// What every view shares: where one is, which models there are, how busy the server is.
import { computed, signal } from "@preact/signals";
import { request } from "../lib/api.js";
import { t } from "../lib/i18n.js";

/**
 * @typedef {object} Model
 * @property {string} id
 * @property {string} family
 * @property {number} parameters
 * @property {number} context
 * @property {string} dtype
 * @property {{bits: number} | null} quantized
 * @property {boolean} fills_blanks
 * @property {boolean} chats
 * @property {boolean} system
 * @property {boolean} tools
 * @property {string[] | null} labels
 * @property {string | null} adapter_of
 */

export const VIEWS = ["chat", "fill", "inside", "classify", "server"];

/** What the last visit learned about the server, so that the page starts without waiting for it. */
const remembered = () => {
  try {
    const info = JSON.parse(localStorage.getItem("glmkit.info") ?? "null");
    return info?.models.every((/** @type {any} */ one) => typeof one.id === "string") ? info : null;
  } catch {
    return null;
  }
};

/** @type {import("@preact/signals").Signal<{models: Model[], version: string, limits?: Record<string, unknown>} | null>} */
export const info = signal(remembered());
/** @type {import("@preact/signals").Signal<any>} */
export const load = signal(null);
export const reachable = signal(true);
/** True while the server answers only with a key and was given none, or a wrong one. */
export const locked = signal(false);
const chosen = signal(localStorage.getItem("glmkit.model"));

/** @type {import("@preact/signals").ReadonlySignal<Model | undefined>} */
export const model = computed(() => {
  const models = info.value?.models ?? [];
  return models.find(({ id }) => id === chosen.value) ?? models[0];
});

/** @param {string} id */
export function chooseModel(id) {
  chosen.value = id;
  localStorage.setItem("glmkit.model", id);
}

const viewOfAddress = () => VIEWS.find((name) => location.hash === `#/${name}`);
const asked = signal(viewOfAddress());
addEventListener("hashchange", () => (asked.value = viewOfAddress()));

/** The view shown: the one of the address, or what the model is for. */
export const view = computed(() => {
  if (asked.value) return asked.value;
  const now = model.value;
  if (!now || now.chats) return "chat";
  return now.fills_blanks ? "fill" : now.labels ? "classify" : "inside";
});

/** @param {string} name */
export function go(name) {
  location.hash = `#/${name}`;
}

export async function readInfo() {
  try {
    info.value = await request("info");
    localStorage.setItem("glmkit.info", JSON.stringify(info.value));
    reachable.value = true;
    locked.value = false;
  } catch (error) {
    failed(error);
  }
}

/** @param {any} error */
function failed(error) {
  reachable.value = error.status !== undefined;
  locked.value = error.status === 401;
}

/** Asks how busy the server is, again and again while the page can be seen. */
export async function watchLoad() {
  for (;;) {
    if (document.visibilityState === "visible") {
      try {
        load.value = await request("load");
        if (!reachable.value || locked.value || !info.value) await readInfo();
      } catch (error) {
        failed(error);
        load.value = null;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

/** @type {import("@preact/signals").Signal<{text: string, undo?: () => void} | null>} */
export const notice = signal(null);
let noticeTimer = 0;

/** A short message at the edge of the page. @param {string} text @param {() => void} [undo] */
export function notify(text, undo) {
  clearTimeout(noticeTimer);
  notice.value = { text, undo };
  noticeTimer = window.setTimeout(() => (notice.value = null), undo ? 9000 : 5000);
}

/** What a screen reader is told; the streaming text itself is not read out word by word. */
export const spoken = signal("");

/** An error as a sentence. @param {any} error */
export function explain(error) {
  if (error?.status === 401) return t("error.key");
  if (error?.retryAfter) return t("error.busy", { seconds: error.retryAfter, message: error.message });
  if (error?.status !== undefined) return error.message;
  if (error instanceof TypeError) return t("error.unreachable");
  return t("error.unexpected", { message: String(error?.message ?? error) });
}
