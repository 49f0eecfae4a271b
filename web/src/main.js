// Starts the page: the shell and the history first, what the server says when it answers.
import { render } from "preact";
import { html } from "./lib/html.js";
import { start } from "./chat/state.js";
import { Shell } from "./ui/shell.js";
import { readInfo, watchLoad } from "./ui/state.js";

const app = /** @type {Element} */ (document.getElementById("app"));
app.replaceChildren();
render(html`<${Shell} />`, app);
start();
readInfo();
watchLoad();
