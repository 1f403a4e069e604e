// The card form: every field has a label, a hint and a place for its fault, which is read out with it.

import { brandOf, digitsOf, expiryOf, expiryTyped, grouped, isNumber, isPast } from "./card.js";
import { h } from "./dom.js";
import { t } from "./text.js";

function field(name, { label, hint, ...input }, mark) {
  const box = h("input", { id: name, name, "aria-describedby": `${name}-hint ${name}-fault`, required: true, ...input });
  return h("div", { class: "field" },
    h("label", { for: name }, label),
    h("span", { class: "box" }, box, mark),
    h("span", { class: "hint", id: `${name}-hint`, hidden: hint === "" }, hint),
    h("span", { class: "fault", id: `${name}-fault`, hidden: true }));
}

/** What is wrong with a field's text; `null` when nothing is. */
function fault(name, text, number) {
  const digits = digitsOf(text);
  if (digits === "") return `${name}_missing`;
  if (name === "number") return isNumber(digits) ? null : "number_invalid";
  if (name === "cvc") {
    const wanted = brandOf(digitsOf(number))?.code;
    return digits.length === wanted || (!wanted && (digits.length === 3 || digits.length === 4)) ? null : "cvc_invalid";
  }
  const expiry = expiryOf(text);
  if (expiry === null) return "expiry_invalid";
  return isPast(expiry) ? "expiry_past" : null;
}

/** The service's faults, by the field a reader knows. */
const places = {
  "card.number": ["number", "number_invalid"], "card.exp_month": ["expiry", "expiry_invalid"],
  "card.exp_year": ["expiry", "expiry_past"], "card.cvc": ["cvc", "cvc_invalid"],
};

/** Builds the form. `onPay` gets the card; what it throws as a refusal's faults is shown at the fields. */
export class CardForm {
  constructor(payLabel, onPay) {
    this.payLabel = payLabel;
    this.onPay = onPay;
    this.mark = h("span", { class: "mark", "aria-hidden": "true" });
    const common = { inputmode: "numeric", spellcheck: "false", dir: "ltr", autocapitalize: "off" };
    this.button = h("button", { type: "submit" }, payLabel);
    this.node = h("form", { class: "stack", novalidate: true, "aria-labelledby": "form-title", onsubmit: (event) => this.submit(event) },
      field("number", { ...common, label: t("card_number"), hint: "", autocomplete: "cc-number", maxlength: "30" }, this.mark),
      h("div", { class: "pair" },
        field("expiry", { ...common, label: t("expiry"), hint: t("expiry_hint"), autocomplete: "cc-exp", maxlength: "9" }),
        field("cvc", { ...common, label: t("cvc"), hint: t("cvc_hint"), autocomplete: "cc-csc", maxlength: "4" })),
      this.button);
    this.inputs = Object.fromEntries(["number", "expiry", "cvc"].map((name) => [name, this.node.querySelector(`#${name}`)]));
    this.listen();
  }

  listen() {
    const { number, expiry, cvc } = this.inputs;
    number.addEventListener("input", () => {
      const digits = digitsOf(number.value).slice(0, 19);
      if (number.selectionEnd === number.value.length) number.value = grouped(digits);
      const brand = brandOf(digits);
      this.mark.textContent = brand?.label ?? "";
      document.getElementById("cvc-hint").textContent = t(brand?.code === 4 ? "cvc_hint_amex" : "cvc_hint");
    });
    expiry.addEventListener("input", (event) => {
      const isTyped = event.inputType?.startsWith("insert");
      if (isTyped && expiry.selectionEnd === expiry.value.length) expiry.value = expiryTyped(expiry.value);
    });
    for (const [name, input] of Object.entries(this.inputs)) {
      // A fault is told when the field is left, and taken back as soon as it is mended.
      input.addEventListener("change", () => { if (input.value !== "") this.tell(name, this.check(name)); });
      input.addEventListener("input", () => { if (input.getAttribute("aria-invalid") && !this.check(name)) this.tell(name, null); });
    }
  }

  check(name) {
    return fault(name, this.inputs[name].value, this.inputs.number.value);
  }

  tell(name, key) {
    const digits = brandOf(digitsOf(this.inputs.number.value))?.code ?? 3;
    const place = this.node.querySelector(`#${name}-fault`);
    place.textContent = key ? t(key, { digits }) : "";
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

  /** The service's faults at their fields; false when it named none of them. */
  tellFaults(faults) {
    const shown = Object.fromEntries(Object.keys(faults).filter((param) => places[param]).map((param) => places[param]));
    return !this.isWhole(shown);
  }

  set busy(isBusy) {
    this.isBusy = isBusy;
    this.button.setAttribute("aria-disabled", String(isBusy));
    const wait = h("span", { class: "wait little", "aria-hidden": "true" });
    this.button.replaceChildren(...(isBusy ? [wait, t("paying")] : [this.payLabel]));
  }

  async submit(event) {
    event.preventDefault();
    if (this.isBusy) return;
    const faults = Object.fromEntries(Object.keys(this.inputs).map((name) => [name, this.check(name)]));
    if (!this.isWhole(faults)) return;
    const { month, year } = expiryOf(this.inputs.expiry.value);
    const card = {
      number: digitsOf(this.inputs.number.value), exp_month: month, exp_year: year, cvc: digitsOf(this.inputs.cvc.value),
    };
    this.busy = true;
    try {
      await this.onPay(card);
    } finally {
      this.busy = false;
    }
  }
}
