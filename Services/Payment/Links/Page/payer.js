// The form for who pays, where a method's provider must be told.

import { h } from "./dom.js";
import { choiceField, field, Form } from "./fields.js";
import { locale, t } from "./text.js";

const inputs = {
  name: { autocomplete: "name", maxlength: "200" },
  email: { autocomplete: "email", type: "email", inputmode: "email", dir: "ltr", maxlength: "320", spellcheck: "false", autocapitalize: "off" },
  line1: { autocomplete: "address-line1", maxlength: "200" },
  postal_code: { autocomplete: "postal-code", maxlength: "20" },
  city: { autocomplete: "address-level2", maxlength: "200" },
};
/** As people write an address; what is short stands side by side. */
const rows = [["name"], ["email"], ["line1"], ["postal_code", "city"], ["country"]];

/** Whether text has the form of an e-mail address. */
export const isAddress = (text) => /^[^\s@]+@[^\s@.][^\s@]*\.[^\s@.]+$/.test(text);

function countries(codes) {
  const names = new Intl.DisplayNames([locale], { type: "region" });
  return codes.map((code) => [code, names.of(code)]).sort((one, other) => one[1].localeCompare(other[1], locale));
}

function rowOf(names, form, link) {
  const fields = names.filter((name) => form.fields.includes(name)).map((name) => {
    if (name !== "country") return field(name, { ...inputs[name], label: t(name), hint: name === "email" ? t("email_hint") : "" });
    return choiceField(name, {
      label: t(name), autocomplete: "country", empty: t("country_choose"), options: countries(form.countries ?? [link.country].filter(Boolean)), chosen: link.country,
    });
  });
  return fields.length > 1 ? h("div", { class: "pair" }, fields) : fields[0] ?? null;
}

/** Builds the form of a method. `onPay` gets the payer. */
export class PayerForm extends Form {
  constructor(payLabel, form, link, onPay) {
    super(payLabel, rows.map((names) => rowOf(names, form, link)));
    this.onPay = onPay;
    this.country = link.country;
  }

  check(name) {
    const text = this.inputs[name].value.trim();
    if (text === "") return `${name}_missing`;
    return name === "email" && !isAddress(text) ? "email_invalid" : null;
  }

  /** The service's faults at their fields; false when it named none of them. */
  tellFaults(faults) {
    const shown = Object.entries(faults).map(([param, code]) => [param.replace("method.payer.", ""), code])
      .filter(([name]) => this.inputs[name]).map(([name, code]) => [name, code === "invalid_email" ? "email_invalid" : `${name}_missing`]);
    return !this.isWhole(Object.fromEntries(shown));
  }

  hand() {
    const given = Object.entries(this.inputs).map(([name, input]) => [name, input.value.trim()]);
    return this.onPay({ country: this.country, ...Object.fromEntries(given) });
  }
}
