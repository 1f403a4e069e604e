// What all forms share: every field has a label, a hint and a place for its fault, which is read out with it.

import { announce, h } from "./dom.js";
import { t } from "./text.js";

export function boxed(name, label, hint, box, mark) {
  return h("div", { class: "field" },
    h("label", { for: name }, label),
    h("span", { class: "box" }, box, mark),
    h("span", { class: "hint", id: `${name}-hint`, hidden: hint === "" }, hint),
    h("span", { class: "fault", id: `${name}-fault`, hidden: true }));
}

const described = (name) => ({ id: name, name, "aria-describedby": `${name}-hint ${name}-fault`, required: true });

export function field(name, { label, hint = "", ...input }, mark) {
  return boxed(name, label, hint, h("input", { ...described(name), ...input }), mark);
}

/** A field with a list to choose from; nothing is chosen unless `chosen` is in it. */
export function choiceField(name, { label, hint = "", empty, options, chosen, ...select }) {
  const none = h("option", { value: "", selected: !options.some(([value]) => value === chosen) }, empty);
  const all = options.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
  return boxed(name, label, hint, h("select", { ...described(name), ...select }, none, all));
}

/** A box to tick, with its label beside it. */
export function labelled(name, label, box) {
  return h("div", { class: "field" }, h("label", { class: "tick", for: name }, box, h("span", {}, label)),
    h("span", { class: "fault", id: `${name}-fault`, hidden: true }));
}

/** A form that checks its fields before it hands over. Who extends it says what is wrong with a field and what is given. */
export class Form {
  constructor(payLabel, rows) {
    this.payLabel = payLabel;
    this.button = h("button", { type: "submit" }, payLabel);
    this.node = h("form", { class: "stack", novalidate: true, "aria-labelledby": "form-title", onsubmit: (event) => this.submit(event) }, rows, this.button);
    this.inputs = Object.fromEntries([...this.node.querySelectorAll("input[required], select[required]")].map((input) => [input.id, input]));
    for (const [name, input] of Object.entries(this.inputs)) {
      // A fault is told when the field is left, and taken back as soon as it is mended.
      input.addEventListener("change", () => { if (input.value !== "") this.tell(name, this.check(name)); });
      input.addEventListener("input", () => { if (input.getAttribute("aria-invalid") && !this.check(name)) this.tell(name, null); });
    }
  }

  /** The key of what is wrong with a field; `null` when nothing is. */
  check() { return null; }

  /** It stands in the page now; called again whenever it is put back there. */
  shown() {}

  /** What the places of a fault's text are filled with. */
  places() { return {}; }

  /** What is agreed to besides. It is taken at the press of the button: what is chosen while others are asked counts for nothing. */
  agreed() { return {}; }

  tell(name, key) {
    const place = this.node.querySelector(`#${name}-fault`);
    place.textContent = key ? t(key, this.places()) : "";
    place.hidden = !key;
    if (key) this.inputs[name].setAttribute("aria-invalid", "true");
    else this.inputs[name].removeAttribute("aria-invalid");
  }

  /** Shows faults and moves to the first of them; true when there was none. */
  isWhole(faults) {
    const wrong = Object.keys(this.inputs).filter((name) => faults[name]);
    for (const name of Object.keys(this.inputs)) this.tell(name, faults[name] ?? null);
    if (wrong.length > 0) this.inputs[wrong[0]].focus();
    return wrong.length === 0;
  }

  set busy(isBusy) {
    this.isBusy = isBusy;
    this.button.setAttribute("aria-disabled", String(isBusy));
    const wait = h("span", { class: "wait little", "aria-hidden": "true" });
    this.button.replaceChildren(...(isBusy ? [wait, t("paying")] : [this.payLabel]));
    if (isBusy) announce(t("paying"));
  }

  async submit(event) {
    event.preventDefault();
    if (this.isBusy) return;
    const faults = Object.fromEntries(Object.keys(this.inputs).map((name) => [name, this.check(name)]));
    if (!this.isWhole(faults)) return;
    this.busy = true;
    try {
      await this.hand(this.agreed());
    } finally {
      this.busy = false;
    }
  }
}
