// The frame around the views: navigation, history, the server's state, notices.
import { html, withValue } from "../lib/html.js";
import { t } from "../lib/i18n.js";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ChatView } from "../chat/view.js";
import { History } from "../chat/history.js";
import { ClassifyView } from "../classify/view.js";
import { FillView } from "../fill/view.js";
import { InsideView } from "../inside/view.js";
import { ServerView } from "../server/view.js";
import { Gauges } from "../server/gauges.js";
import { Icon, IconButton } from "./icons.js";
import { Preferences, openPreferences } from "./preferences.js";
import { WaitingList } from "./waiting.js";
import { VIEWS, chooseModel, info, locked, model, notice, reachable, spoken, view } from "./state.js";

/** The picture that index.html names. */
const icon = /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=icon]")).href;

const PAGES = /** @type {Record<string, any>} */ ({
  chat: ChatView,
  fill: FillView,
  inside: InsideView,
  classify: ClassifyView,
  server: ServerView,
});

export function Shell() {
  const menu = useSignal(false);
  const name = view.value;
  useEffect(() => {
    menu.value = false;
    document.title = `${t(`view.${name}`)} · glmkit`;
  }, [name, t("view.chat")]);
  return html`
    <a class="skip" href="#content" onClick=${skip}>${t("skip")}</a>
    <div class=${menu.value ? "shell menu-open" : "shell"} onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") menu.value = false;
    }}>
      <header class="top">
        <${IconButton} icon="menu" label=${t("menu")} class="quiet narrow" aria-expanded=${menu.value} aria-controls="side"
          onClick=${() => (menu.value = !menu.value)} />
        <strong>${t(`view.${name}`)}</strong>
        <${ModelChoice} />
      </header>
      <div class="curtain" onClick=${() => (menu.value = false)}></div>
      <aside class="side" id="side" aria-label=${t("menu")}>
        <div class="brand"><img src=${icon} alt="" width="28" height="28" /><span>glmkit</span>
          <${IconButton} icon="close" label=${t("close")} class="quiet narrow" onClick=${() => (menu.value = false)} />
        </div>
        <nav aria-label=${t("views")}>
          ${VIEWS.filter(possible).map(
            (item) => html`
              <a
                href=${`#/${item}`}
                aria-current=${item === name ? "page" : undefined}
                onClick=${() => (menu.value = false)}
              >
                <${Icon} name=${item} />${t(`view.${item}`)}
              </a>
            `,
          )}
        </nav>
        <${History} onChoose=${() => (menu.value = false)} />
        <div class="foot">
          <${Gauges} />
          <button type="button" class="quiet wide" onClick=${openPreferences}>
            <${Icon} name="sliders" />${t("preferences")}
          </button>
        </div>
      </aside>
      <main id="content" tabindex="-1">
        ${!reachable.value && html`<p class="banner" role="alert">${t("error.unreachable")}</p>`}
        ${
          locked.value &&
          html`
            <p class="banner" role="alert">
              ${t("error.key")} <button type="button" onClick=${openPreferences}>${t("key.enter")}</button>
            </p>
          `
        }
        <${WaitingList} />
        <${PAGES[name]} />
      </main>
    </div>
    <${Notice} />
    <div class="off-screen" role="status">${spoken}</div>
    <${Preferences} />
  `;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault(); // the address is the view's
  document.getElementById("content")?.focus();
}

/** Classification is shown where a model does it. @param {string} item */
const possible = (item) =>
  item !== "classify" || (info.value?.models ?? []).some((one) => one.labels) || view.value === item;

function ModelChoice() {
  const models = info.value?.models ?? [];
  if (models.length < 2) return html`<span class="model-name">${model.value?.id ?? ""}</span>`;
  return html`
    <select aria-label=${t("model")} value=${model.value?.id} onChange=${withValue(chooseModel)}>
      ${models.map(({ id }) => html`<option value=${id}>${id}</option>`)}
    </select>
  `;
}

function Notice() {
  const now = notice.value;
  return html`
    <div class="notices" role="status">
      ${
        now &&
        html`
        <div class="notice">
          <span>${now.text}</span>
          ${now.undo && html`<button type="button" onClick=${() => (now.undo?.(), (notice.value = null))}>${t("undo")}</button>`}
        </div>
      `
      }
    </div>
  `;
}
