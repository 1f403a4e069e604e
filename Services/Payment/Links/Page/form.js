// The card form.

import { brandOf, digitsOf, expiryOf, expiryTyped, grouped, isNumber, isPast } from "./card.js";
import { h } from "./dom.js";
import { field, Form } from "./fields.js";
import { t } from "./text.js";

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

/** Builds the form. `onPay` gets the card, as the service is told of it, and what is agreed to besides; what it throws as a refusal's faults is shown at the fields. */
export class CardForm extends Form {
  /** `before` and `after` are rows beside the card's. */
  constructor(payLabel, onPay, before = [], after = []) {
    const mark = h("span", { class: "mark", "aria-hidden": "true" });
    const common = { inputmode: "numeric", spellcheck: "false", dir: "ltr", autocapitalize: "off" };
    super(payLabel, [
      ...before,
      field("number", { ...common, label: t("card_number"), autocomplete: "cc-number", maxlength: "30" }, mark),
      h("div", { class: "pair" },
        field("expiry", { ...common, label: t("expiry"), hint: t("expiry_hint"), autocomplete: "cc-exp", maxlength: "9" }),
        field("cvc", { ...common, label: t("cvc"), hint: t("cvc_hint"), autocomplete: "cc-csc", maxlength: "4" })),
      ...after,
    ]);
    this.onPay = onPay;
    this.mark = mark;
    this.listen();
  }

  listen() {
    const { number, expiry } = this.inputs;
    number.addEventListener("input", () => {
      const digits = digitsOf(number.value).slice(0, 19);
      if (number.selectionEnd === number.value.length) number.value = grouped(digits);
      const brand = brandOf(digits);
      this.mark.textContent = brand?.label ?? "";
      this.node.querySelector("#cvc-hint").textContent = t(brand?.code === 4 ? "cvc_hint_amex" : "cvc_hint");
    });
    expiry.addEventListener("input", (event) => {
      const isTyped = event.inputType?.startsWith("insert");
      if (isTyped && expiry.selectionEnd === expiry.value.length) expiry.value = expiryTyped(expiry.value);
    });
  }

  check(name) {
    return fault(name, this.inputs[name].value, this.inputs.number.value);
  }

  places() {
    return { digits: brandOf(digitsOf(this.inputs.number.value))?.code ?? 3 };
  }

  /** The service's faults at their fields; false when it named none of them. */
  tellFaults(faults) {
    const shown = Object.fromEntries(Object.keys(faults).filter((param) => places[param]).map((param) => places[param]));
    return !this.isWhole(shown);
  }

  hand(agreed) {
    const { month, year } = expiryOf(this.inputs.expiry.value);
    return this.onPay({
      card: { number: digitsOf(this.inputs.number.value), exp_month: month, exp_year: year, cvc: digitsOf(this.inputs.cvc.value) },
    }, agreed);
  }
}
