// Small hands for the document. Text only ever enters as text.

const svgNamespace = "http://www.w3.org/2000/svg";

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** An element with attributes, `on…` listeners and children. */
export function h(tag, attributes = {}, ...children) {
  return make(document.createElement(tag), attributes, children);
}

/** A picture of strokes, invisible to screen readers. */
export function sign(kind, path) {
  const circle = make(document.createElementNS(svgNamespace, "circle"), { cx: 28, cy: 28, r: 25 }, []);
  const line = make(document.createElementNS(svgNamespace, "path"), { d: path }, []);
  const attributes = { class: `sign ${kind}`, viewBox: "0 0 56 56", "aria-hidden": "true" };
  return make(document.createElementNS(svgNamespace, "svg"), attributes, [circle, line]);
}

export const check = "M17 29l8 8 15-17";
export const dash = "M18 28h20";

/** Puts a view in the place of the one before and moves the reader to its heading. */
export function show(...children) {
  const work = document.getElementById("work");
  work.replaceChildren(...children);
  const heading = work.querySelector("h1");
  if (!heading) return;
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** Where nothing more can be done by itself, perhaps for want of any texts: so in English, with the way to try again. */
export function stuck() {
  show(h("div", { class: "stack", id: "stuck" }, h("h1", { class: "lead", lang: "en" }, "This page could not be loaded."),
    h("button", { type: "button", lang: "en", onclick: () => window.location.reload() }, "Try again")));
}

/** What a script from outside gives, once it has run; `null` where it was kept away. */
export async function outside(id, found) {
  const script = document.getElementById(id);
  // Whatever the page names has been loaded, or has failed, once the document is complete.
  if (script && !found() && document.readyState !== "complete") {
    await Promise.race([
      new Promise((resolve) => { for (const name of ["load", "error"]) script.addEventListener(name, resolve, { once: true }); }),
      new Promise((resolve) => setTimeout(resolve, 8000)),
    ]);
  }
  return found() ?? null;
}

/** Tells screen readers. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}
