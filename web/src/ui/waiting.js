// What waits for a place on the server: when it is sent again, and how not to wait.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { waiting } from "../lib/api.js";
import { html } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { spoken } from "./state.js";

/** @param {{entry: import("../lib/api.js").Waiting}} props */
function Countdown({ entry }) {
  const left = () => Math.max(0, Math.ceil((entry.at - Date.now()) / 1000));
  const seconds = useSignal(left());
  const text = t("busy.wait", { message: entry.message, seconds: seconds.value });
  useEffect(() => {
    spoken.value = text; // once, not every second
    const timer = setInterval(() => (seconds.value = left()), 200);
    return () => clearInterval(timer);
  }, [entry]);
  return html`
    <div class="banner row wrap">
      <span>${text}</span>
      <button type="button" onClick=${entry.now}>${t("busy.now")}</button>
      <button type="button" onClick=${entry.cancel}>${t("cancel")}</button>
    </div>
  `;
}

export const WaitingList = () => waiting.value.map((entry) => html`<${Countdown} key=${entry.at} entry=${entry} />`);
