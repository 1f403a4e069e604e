// The page's texts: one file for each language, nothing in code.

export const languages = ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "ja", "zh", "ar"];
const rightToLeft = new Set(["ar"]);

let texts = {};
let fallback = {};
/** The language that is shown, with its region where the browser says one: dates and numbers follow it. */
export let locale = "en";
export let language = "en";

/** The first of the reader's languages that there are texts for. */
export function preferred(wanted) {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split("-")[0];
    if (languages.includes(base)) return base;
  }
  return "en";
}

async function load(assets, code) {
  const answer = await fetch(`${assets}/${code}.json`);
  if (!answer.ok) throw new Error(`no texts in ${code}`);
  return answer.json();
}

/** Switches the page to a language. */
export async function speak(assets, code) {
  [texts, fallback] = await Promise.all([load(assets, code), code === "en" ? {} : load(assets, "en")]);
  language = code;
  locale = navigator.languages.find((tag) => tag.toLowerCase().split("-")[0] === code) ?? code;
  document.documentElement.lang = code;
  document.documentElement.dir = rightToLeft.has(code) ? "rtl" : "ltr";
}

export function has(key) {
  return key in texts || key in fallback;
}

/** A text with its places filled. */
export function t(key, values = {}) {
  const text = texts[key] ?? fallback[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}

/** The name of a language in itself. */
export function nameOf(code) {
  const name = new Intl.DisplayNames([code], { type: "language" }).of(code);
  return name.charAt(0).toLocaleUpperCase(code) + name.slice(1);
}
