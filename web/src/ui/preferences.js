// Language, colors, the key and the history as a file, in a dialog.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { key, keyWanted, setKey } from "../lib/api.js";
import { IMPORT_LIMIT, fromFile, toFile } from "../lib/check.js";
import { download } from "../lib/files.js";
import { html } from "../lib/html.js";
import { language, number, setLanguage, t } from "../lib/i18n.js";
import { readAll, removeAll, save } from "../lib/store.js";
import { damaged, newId, refresh, startNew } from "../chat/state.js";
import { IconButton } from "./icons.js";
import { explain, notify, readInfo } from "./state.js";

const open = signal(false);
const theme = signal(localStorage.getItem("glmkit.theme") ?? "system");
/** @type {import("@preact/signals").Signal<{usage?: number, quota?: number} | null>} */
const storage = signal(null);

export function openPreferences() {
  open.value = true;
  navigator.storage?.estimate().then((estimate) => (storage.value = estimate));
}

/** @param {string} value */
function setTheme(value) {
  theme.value = value;
  if (value === "system") {
    localStorage.removeItem("glmkit.theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("glmkit.theme", value);
    document.documentElement.dataset.theme = value;
  }
}

/** @param {any} event */
async function importFile(event) {
  const file = event.target.files[0];
  event.target.value = "";
  if (!file) return;
  try {
    if (file.size > IMPORT_LIMIT) throw new Error(t("import.large", { size: IMPORT_LIMIT / 2 ** 20 }));
    const chats = fromFile(await file.text(), newId);
    for (const { conversation, messages } of chats) await save(conversation, messages);
    await refresh();
    notify(t("import.done", { n: chats.length }));
  } catch (error) {
    notify(t("import.failed", { message: String(/** @type {any} */ (error).message) }));
  }
}

async function deleteAll() {
  const chats = await readAll();
  await removeAll();
  startNew();
  await refresh();
  notify(t("history.deleted"), async () => {
    for (const { conversation, messages } of chats) await save(conversation, messages);
    await refresh();
  });
}

export function Preferences() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const shown = open.value || keyWanted.value;
  useEffect(() => {
    if (shown && !dialog.current?.open) dialog.current?.showModal();
    if (!shown && dialog.current?.open) dialog.current.close();
  }, [shown]);
  const close = () => {
    open.value = false;
    keyWanted.value = false;
  };
  return html`
    <dialog ref=${dialog} onClose=${close} aria-labelledby="preferences-title" class="preferences">
      <header>
        <h2 id="preferences-title">${t("preferences")}</h2><${IconButton} icon="close" label=${t("close")} onClick=${close} />
      </header>
      ${shown && html`<${Choices} />`}
    </dialog>
  `;
}

function Choices() {
  const used = storage.value?.usage;
  return html`
    <${Radios} name="language" legend=${t("language")} value=${language.value} choose=${setLanguage}
      options=${[
        ["en", "English"],
        ["zh", "中文"],
      ]} />
    <${Radios} name="theme" legend=${t("theme")} value=${theme.value} choose=${setTheme}
      options=${["system", "light", "dark"].map((name) => [name, t(`theme.${name}`)])} />
    <form class="field" onSubmit=${saveKey}>
      <label for="key">${t("key")}</label>
      <div class="row">
        <input id="key" name="key" type="password" autocomplete="off" defaultValue=${key.value} />
        <button type="submit">${t("key.use")}</button>
      </div>
      <small>${keyWanted.value ? t("error.key") : t("key.help")}</small>
    </form>
    <div class="field">
      <span class="label">${t("history")}</span>
      <div class="row wrap">
        <button type="button" onClick=${async () => download("glmkit-chats.json", toFile(await readAll()))}>
          ${t("export")}
        </button>
        <label class="button">
          ${t("import")}<input type="file" accept="application/json,.json" class="off-screen" onChange=${importFile} />
        </label>
        <button type="button" class="danger" onClick=${deleteAll}>${t("history.delete")}</button>
      </div>
      <small>${t("history.help")}
        ${used !== undefined && ` ${t("history.size", { size: number(used / 2 ** 20, { maximumFractionDigits: 1 }) })}`}
        ${damaged.value > 0 && ` ${t("history.damaged", { n: damaged.value })}`}</small>
    </div>
  `;
}

/** @param {SubmitEvent & {currentTarget: HTMLFormElement}} event */
function saveKey(event) {
  event.preventDefault();
  setKey(String(new FormData(event.currentTarget).get("key")));
  open.value = false;
  readInfo().catch((error) => notify(explain(error)));
}

/** @param {{name: string, legend: string, value: string, choose: (value: string) => void, options: string[][]}} props */
function Radios({ name, legend, value, choose, options }) {
  return html`
    <fieldset class="segments">
      <legend>${legend}</legend>
      ${options.map(
        ([id, text]) => html`
          <label>
            <input type="radio" name=${name} value=${id} checked=${id === value} onChange=${() => choose(id)} /><span>${text}</span>
          </label>
        `,
      )}
    </fieldset>
  `;
}
