// Small pictures for buttons. They are hidden from screen readers: the button has the name.
import { html } from "../lib/html.js";

const PATHS = /** @type {Record<string, string>} */ ({
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  again: "M20 11a8 8 0 1 0-2 6M20 5v6h-6",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  sliders: "M4 8h9M17 8h3M4 16h3M11 16h9M15 5.5v5M9 13.5v5",
  branch: "M7 4v16M7 14c6 0 10-2 10-8M14.5 6.5L17 4l2.5 2.5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  undo: "M9 7L4 12l5 5M4 12h10a6 6 0 0 1 6 6",
  chat: "M4 5h16v11H10l-5 4v-4H4z",
  fill: "M3 9h7M3 16h18M13.5 6h7v6h-7z",
  inside: "M5 20V10M12 20V4M19 20v-7",
  classify: "M4 6h10M4 12h16M4 18h6",
  server: "M4 5h16v6H4zM4 14h16v5H4zM7.5 8h.01M7.5 16.500h.01",
});

/** @param {{name: string}} props */
export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
    <path
      d=${PATHS[name]}
      fill="none"
      stroke="currentColor"
      stroke-width="1.7"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  </svg>
`;

/** A button with a picture alone. @param {{icon: string, label: string, onClick?: (event: any) => void, [name: string]: any}} props */
export const IconButton = ({ icon, label, ...rest }) => html`
  <button type="button" class="quiet" aria-label=${label} title=${label} ...${rest}><${Icon} name=${icon} /></button>
`;
