// The page's words in two languages.
import { effect, signal } from "@preact/signals";
import en from "../i18n/en.json";
import zh from "../i18n/zh.json";

/** @type {Record<string, Record<string, string>>} */
const words = { en, zh };

export const language = signal(document.documentElement.lang.startsWith("zh") ? "zh" : "en");

effect(() => {
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
});

/** @param {string} value "en" or "zh" */
export function setLanguage(value) {
  language.value = value;
  localStorage.setItem("glmkit.language", value);
}

/**
 * The text of a key in the chosen language, with {name} replaced.
 * @param {string} name @param {Record<string, string | number>} [values]
 */
export function t(name, values = {}) {
  const text = words[language.value][name] ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, part) => String(values[part] ?? whole));
}

/** @param {number} value @param {Intl.NumberFormatOptions} [options] */
export const number = (value, options) => new Intl.NumberFormat(language.value, options).format(value);
/** A share of one as percent. @param {number} share */
export const percent = (share) => number(share, { style: "percent", maximumSignificantDigits: share < 0.1 ? 2 : 3 });
