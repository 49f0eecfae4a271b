// The list of conversations.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { isComposing } from "../lib/keys.js";
import { Icon, IconButton } from "../ui/icons.js";
import { go, view } from "../ui/state.js";
import { conversations, current, deleteConversation, openConversation, rename, running, startNew } from "./state.js";

/** @param {{onChoose: () => void}} props */
export function History({ onChoose }) {
  const renaming = useSignal("");
  const choose = (/** @type {string} */ id) => {
    if (id !== current.value.id) running.value?.stop();
    openConversation(id);
    go("chat");
    onChoose();
  };
  return html`
    <section class="history" aria-label=${t("history")}>
      <button type="button" class="wide new" onClick=${() => (startNew(), go("chat"), onChoose())}>
        <${Icon} name="plus" />${t("chat.new")}
      </button>
      <ul>
        ${conversations.value.map(
          (one) => html`
            <li key=${one.id} class=${view.value === "chat" && one.id === current.value.id ? "here" : ""}>
              ${
                renaming.value === one.id
                  ? html`<${Rename} conversation=${one} done=${() => (renaming.value = "")} />`
                  : html`
                    <button
                      type="button"
                      class="title"
                      aria-current=${one.id === current.value.id ? "true" : undefined}
                      onClick=${() => choose(one.id)}
                    >
                      ${one.title || t("chat.untitled")}
                    </button>
                    <${IconButton}
                      icon="edit"
                      label=${`${t("rename")}: ${one.title}`}
                      onClick=${() => (renaming.value = one.id)}
                    />
                    <${IconButton}
                      icon="trash"
                      label=${`${t("delete")}: ${one.title}`}
                      onClick=${() => deleteConversation(one)}
                    />
                  `
              }
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

/** @param {{conversation: import("./state.js").Conversation, done: () => void}} props */
function Rename({ conversation, done }) {
  const keep = (/** @type {any} */ event) => {
    rename(conversation, event.target.value.trim() || conversation.title);
    done();
  };
  const onKey = (/** @type {any} */ event) => {
    if (isComposing(event)) return;
    if (event.key === "Enter") keep(event);
    if (event.key === "Escape") {
      event.target.value = conversation.title; // for leaving the field keeps what is in it
      done();
    }
  };
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => input.current?.focus(), []);
  return html`
    <input ref=${input} aria-label=${t("rename")} defaultValue=${conversation.title} onKeyDown=${onKey} onBlur=${keep} />
  `;
}
