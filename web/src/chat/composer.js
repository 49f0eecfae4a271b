// Where one writes.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { html, withValue } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { isComposing, isTouch } from "../lib/keys.js";
import { IconButton } from "../ui/icons.js";
import { model } from "../ui/state.js";
import { panelOpen } from "./settings.js";
import { running } from "./state.js";

/** What is written and not sent yet: it stays while one looks at another view. */
const text = signal("");

/** A text field that grows with its text. @param {{value: string, onInput: (text: string) => void, [name: string]: any}} props */
export function GrowingArea({ value, onInput, ...rest }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  useEffect(() => {
    const { current } = area;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight}px`;
  }, [value]);
  return html`<textarea ref=${area} value=${value} onInput=${withValue(onInput)} ...${rest}></textarea>`;
}

/** @param {{onSend: (text: string) => void}} props */
export function Composer({ onSend }) {
  const run = running.value;
  const send = () => {
    if (text.value.trim() === "" || running.value) return;
    onSend(text.value);
    text.value = "";
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (isComposing(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !isTouch()) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape") {
      running.value?.stop();
    }
  };
  return html`
    <form class="composer" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), send())}>
      <${GrowingArea}
        id="message"
        rows="1"
        aria-label=${t("chat.message")}
        placeholder=${t("chat.placeholder", { model: model.value?.id ?? "" })}
        value=${text.value}
        onInput=${(/** @type {string} */ value) => (text.value = value)}
        onKeyDown=${onKey}
      />
      <${IconButton} icon="sliders" label=${t("settings")} aria-expanded=${panelOpen.value} aria-controls="settings"
        onClick=${() => (panelOpen.value = !panelOpen.value)} />
      ${
        run
          ? html`<${IconButton} icon="stop" label=${t("stop")} class="round stop" onClick=${() => run.stop()} />`
          : html`<${IconButton} icon="send" label=${t("send")} type="submit" class="round" disabled=${text.value.trim() === ""} />`
      }
    </form>
  `;
}
