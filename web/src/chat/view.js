// The view of a conversation.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { copy } from "../lib/files.js";
import { html } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { IconButton } from "../ui/icons.js";
import { go, model, notify } from "../ui/state.js";
import { Composer } from "./composer.js";
import { useFollow } from "./follow.js";
import { MessageView } from "./message.js";
import { say } from "./run.js";
import { Settings } from "./settings.js";
import { current, shown } from "./state.js";

const AT_ONCE = 30; // messages shown; a long conversation opens at its end without the rest being drawn

export function ChatView() {
  const { area, away, follow } = useFollow();
  const count = useSignal(AT_ONCE);
  const messages = shown.value;
  const id = current.value.id;
  useEffect(() => {
    count.value = AT_ONCE;
    follow.toEnd();
  }, [id]);
  const first = Math.max(0, messages.length - count.value);
  const send = (/** @type {string} */ text) => {
    say(text, current.value.leaf);
    requestAnimationFrame(follow.toEnd);
  };
  return html`
    <div class="chat">
      <div class="transcript" ref=${area} onScroll=${follow.onScroll} onClick=${copyCode}>
        <div class="column" role="log" aria-live="off" aria-label=${t("transcript")}>
          ${messages.length === 0 && html`<${Welcome} send=${send} />`}
          ${
            first > 0 &&
            html`
              <button type="button" class="earlier" onClick=${() => (count.value += AT_ONCE)}>
                ${t("chat.earlier", { n: first })}
              </button>
            `
          }
          ${messages.slice(first).map(
            (message, index) => html`
              <${MessageView}
                key=${message.id}
                message=${message}
                last=${first + index === messages.length - 1}
                follow=${follow}
              />
            `,
          )}
        </div>
      </div>
      <div class="bottom">
        ${away.value && html`<${IconButton} icon="down" label=${t("chat.end")} class="to-end" onClick=${follow.toEnd} />`}
        ${model.value && !model.value.chats ? html`<${NoChat} />` : html`<${Composer} onSend=${send} />`}
      </div>
      <${Settings} />
    </div>
  `;
}

/** The buttons of code blocks are made outside of the templates. @param {any} event */
async function copyCode(event) {
  const button = event.target.closest?.("[data-copy]");
  const code = button?.closest("figure")?.querySelector("code");
  if (code) notify(t((await copy(code.textContent)) ? "copied" : "copy.failed"));
}

/** @param {{send: (text: string) => void}} props */
function Welcome({ send }) {
  if (model.value && !model.value.chats) return null;
  return html`
    <div class="welcome">
      <h1>${t("chat.welcome")}</h1>
      <div class="examples">
        ${["chat.example1", "chat.example2", "chat.example3"].map(
          (name) => html`<button type="button" onClick=${() => send(t(name))}>${t(name)}</button>`,
        )}
      </div>
    </div>
  `;
}

function NoChat() {
  return html`
    <p class="note">${t("chat.cannot", { model: model.value?.id ?? "" })}
      <button type="button" class="link" onClick=${() => go("fill")}>${t("view.fill")}</button></p>
  `;
}
