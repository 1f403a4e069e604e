// The page's texts: one file for each language, nothing in code but what is said where no file can be had (`stuck`).

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

/** Reads a file of texts, with a few more tries; `null` when it cannot be had. */
export async function read(address) {
  for (const wait of [0, 500, 1000, 2000]) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      const answer = await fetch(address);
      if (answer.ok) return await answer.json();
    } catch {
      // Nobody has answered, or not to the end.
    }
  }
  return null;
}

/** Switches the page to a language; to English where its texts cannot be had and nothing is spoken yet. */
export async function speak(assets, code) {
  const [wanted, english] = await Promise.all([read(`${assets}/${code}.json`), code === "en" ? null : read(`${assets}/en.json`)]);
  const isSilent = Object.keys(texts).length === 0;
  if (wanted === null && !isSilent) return;
  if (wanted === null && english === null) throw new Error("no texts");
  texts = wanted ?? english;
  fallback = english ?? fallback;
  language = wanted === null ? "en" : code;
  locale = navigator.languages.find((tag) => tag.toLowerCase().split("-")[0] === language) ?? language;
  document.documentElement.lang = language;
  document.documentElement.dir = rightToLeft.has(language) ? "rtl" : "ltr";
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
