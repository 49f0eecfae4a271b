// One message, and what can be done with it.
import { useSignal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import { waiting } from "../lib/api.js";
import { copy } from "../lib/files.js";
import { html } from "../lib/html.js";
import { number, t } from "../lib/i18n.js";
import { isComposing } from "../lib/keys.js";
import { children } from "../lib/tree.js";
import { Markdown } from "../markdown/view.js";
import { IconButton } from "../ui/icons.js";
import { go, model, notify } from "../ui/state.js";
import { lookAt } from "../inside/state.js";
import { GrowingArea } from "./composer.js";
import { answer, giveResults, say, toRequest } from "./run.js";
import { branchOut, newId, put, running, showBranch, shown, tree } from "./state.js";

/** @typedef {import("../lib/tree.js").Message} Message */

/** @param {{message: Message, last: boolean, follow: {before: () => void, after: () => void}}} props */
export function MessageView({ message, last, follow }) {
  const editing = useSignal(false);
  const run = running.value?.message.id === message.id ? running.value : null;
  return html`
    <article class=${`message ${message.role}`} aria-label=${t(`role.${message.role}`)} aria-busy=${run !== null}>
      ${
        editing.value
          ? html`<${Editor} message=${message} done=${() => (editing.value = false)} />`
          : html`<${Body} message=${message} run=${run} follow=${follow} />`
      }
      ${(run ? run.calls.value : (message.tool_calls ?? [])).map((call) => html`<${ToolCall} call=${call} />`)}
      ${last && !run && message.tool_calls?.length && message.finish !== "error" ? html`<${Results} message=${message} />` : null}
      <${Ending} message=${message} run=${run} last=${last} follow=${follow} />
      ${!run && !editing.value && html`<${Actions} message=${message} edit=${() => (editing.value = true)} />`}
    </article>
  `;
}

/** @param {{message: Message, run: import("./run.js").Run | null, follow: any}} props */
function Body({ message, run, follow }) {
  if (message.role !== "assistant") return html`<div class="plain">${message.content}</div>`;
  return html`
    <${Markdown} text=${message.content} source=${run} follow=${follow} />
    ${run?.reading.value && waiting.value.length === 0 && html`<p class="waiting"><span class="dots" aria-hidden="true"></span>${t("chat.reading")}</p>`}
  `;
}

/** Arguments are text until they are whole. @param {{call: {name: string, arguments: string}}} props */
function ToolCall({ call }) {
  let text = call.arguments;
  try {
    text = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Half of a document, or not one at all: shown as it came.
  }
  return html`
    <details class="tool" open>
      <summary>${t("tool.call")} <code>${call.name}</code></summary>
      <pre tabindex="0"><code>${text}</code></pre>
    </details>
  `;
}

/** Fields for what the tools answered. @param {{message: Message}} props */
function Results({ message }) {
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    giveResults(message, /** @type {any} */ (Object.fromEntries(new FormData(event.currentTarget))));
  };
  return html`
    <form class="results" onSubmit=${submit}>
      ${(message.tool_calls ?? []).map(
        (call) => html`
          <div class="field">
            <label for=${`result-${call.id}`}>${t("tool.result", { name: call.name })}</label>
            <textarea id=${`result-${call.id}`} name=${call.id} rows="2" class="mono" required></textarea>
          </div>
        `,
      )}
      <div class="row"><button type="submit">${t("tool.send")}</button></div>
    </form>
  `;
}

/** How an answer ended, where that is not by itself. @param {{message: Message, run: any, last: boolean, follow: any}} props */
function Ending({ message, run, last, follow }) {
  useLayoutEffect(() => {
    if (last && message.error) follow.after(); // an error is not to be below the fold
  }, [message.error]);
  if (run)
    return html`<p class="meta">${run.speed.value > 0 ? t("speed", { n: number(run.speed.value, { maximumFractionDigits: 1 }) }) : ""}</p>`;
  if (message.role !== "assistant") return null;
  const finish = message.finish ?? "cut";
  const parent = message.parent;
  return html`
    ${message.error && html`<p class="error" role="alert">${message.error}</p>`}
    ${
      ["stopped", "cut", "length", "edited"].includes(finish) &&
      html`
      <p class="note">${t(`finish.${finish}`)}
        ${
          last &&
          parent !== null &&
          html` <button type="button" class="link" onClick=${() => answer(parent, message)}>${t("continue")}</button>`
        }</p>
    `
    }
  `;
}

/** @param {{message: Message, edit: () => void}} props */
function Actions({ message, edit }) {
  const family = children(tree.value, message.parent);
  const at = family.findIndex(({ id }) => id === message.id);
  const step = (/** @type {number} */ by) => showBranch(family[at + by].id);
  const parent = message.parent;
  return html`
    <div class="actions">
      ${
        family.length > 1 &&
        html`
        <span class="siblings" role="group" aria-label=${t("branches")}>
          <${IconButton} icon="left" label=${t("branch.earlier")} disabled=${at === 0} onClick=${() => step(-1)} />
          <span>${at + 1}/${family.length}</span>
          <${IconButton}
            icon="right"
            label=${t("branch.later")}
            disabled=${at === family.length - 1}
            onClick=${() => step(1)}
          />
        </span>
      `
      }
      <${IconButton}
        icon="copy"
        label=${t("copy")}
        onClick=${async () => notify(t((await copy(message.content)) ? "copied" : "copy.failed"))}
      />
      <${IconButton} icon="edit" label=${t("edit")} onClick=${edit} />
      ${
        message.role === "assistant" &&
        parent !== null &&
        html`
        <${IconButton} icon="again" label=${t("regenerate")} onClick=${() => answer(parent)} />
        <${IconButton} icon="inside" label=${t("inside.open")} onClick=${() => inside(message)} />
      `
      }
      <${IconButton} icon="branch" label=${t("branch.out")} onClick=${() => branchOut(message)} />
      ${message.role === "assistant" && html`<${Facts} message=${message} />`}
    </div>
  `;
}

/** @param {Message} message */
function inside(message) {
  const at = shown.value.findIndex(({ id }) => id === message.id);
  lookAt({ messages: toRequest(shown.value.slice(0, at + 1)) });
  go("inside");
}

/** @param {{message: Message}} props */
function Facts({ message }) {
  const { usage, seconds } = message;
  if (!usage) return null;
  const context = model.value?.context;
  const speed = seconds ? usage.completion_tokens / seconds : 0;
  return html`
    <span class="meta">
      ${t("tokens", { n: usage.completion_tokens })}${speed > 0 && ` · ${t("speed", { n: number(speed, { maximumFractionDigits: 1 }) })}`}
      ${context ? ` · ${t("context.used", { used: usage.total_tokens, all: context })}` : ""}
    </span>
  `;
}

/** An edit makes a sibling: what was before stays in its own branch. @param {{message: Message, done: () => void}} props */
function Editor({ message, done }) {
  const text = useSignal(message.content);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    done();
    if (message.role === "user") {
      say(text.value, message.parent);
    } else {
      const edited = {
        ...message,
        id: newId(),
        content: text.value,
        created: Date.now(),
        finish: "edited",
        error: undefined,
      };
      put([edited], edited.id);
    }
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (isComposing(event)) return;
    if (event.key === "Escape") done();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  };
  return html`
    <form class="editor" onSubmit=${submit}>
      <${GrowingArea}
        aria-label=${t("edit")}
        value=${text.value}
        onInput=${(/** @type {string} */ value) => (text.value = value)}
        onKeyDown=${onKey}
        autofocus
      />
      <div class="row">
        <button type="submit" class="primary">${t(message.role === "user" ? "edit.send" : "edit.keep")}</button>
        <button type="button" onClick=${done}>${t("cancel")}</button>
      </div>
    </form>
  `;
}
