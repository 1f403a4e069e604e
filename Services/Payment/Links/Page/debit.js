// The form for a bank debit: the account, and the mandate that the holder agrees to.

import { plainly } from "./card.js";
import { h } from "./dom.js";
import { field, Form, labelled } from "./fields.js";
import { isAddress } from "./payer.js";
import { language, t } from "./text.js";

/** Lengths by country, as far as the SEPA schemes go; the service has the last word. */
const lengths = Object.fromEntries(
  "AD24 AT20 BE16 BG22 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GI23 GR27 HR21 HU28 IE22 IS26 IT27 LI21 LT20 LU20 LV21 MC27 MT31 NL18 NO15 PL28 PT25 RO24 SE24 SI19 SK24 SM27 VA22"
    .split(" ").map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]));

const plain = (text) => plainly(text).replace(/\s/g, "").toUpperCase();

/** What is wrong with an IBAN (ISO 13616); `null` when nothing is. */
export function ibanFault(typed) {
  const text = plain(typed);
  if (text === "") return "iban_missing";
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]+$/.test(text)) return "iban_invalid";
  if (!lengths[text.slice(0, 2)]) return "iban_country";
  if (text.length !== lengths[text.slice(0, 2)]) return "iban_invalid";
  const digits = Array.from(text.slice(4) + text.slice(0, 4), (character) => parseInt(character, 36)).join("");
  return Array.from(digits).reduce((rest, digit) => (rest * 10 + Number(digit)) % 97, 0) === 1 ? null : "iban_invalid";
}

/** The service's faults, by the field a reader knows. */
const places = {
  "bank_account.iban": (code) => ["iban", code === "unsupported_country" ? "iban_country" : "iban_invalid"],
  "bank_account.name": () => ["name", "name_missing"], "bank_account.email": () => ["email", "email_invalid"],
};

/** Builds the form. `onPay` gets the account, and the language in which the mandate was read. */
export class DebitForm extends Form {
  /** `after`: a row below the mandate. */
  constructor(payLabel, creditor, onPay, after = null) {
    const accept = h("input", { id: "accept", type: "checkbox", required: true, "aria-describedby": "mandate accept-fault" });
    super(payLabel, [
      field("name", { label: t("holder"), autocomplete: "name", maxlength: "70" }),
      field("iban", { label: t("iban"), hint: t("iban_hint"), dir: "ltr", maxlength: "42", spellcheck: "false", autocapitalize: "characters", autocomplete: "off" }),
      field("email", { label: t("email"), hint: t("email_hint"), type: "email", inputmode: "email", dir: "ltr", maxlength: "320", spellcheck: "false", autocapitalize: "off", autocomplete: "email" }),
      h("section", { class: "mandate", "aria-labelledby": "mandate-title" }, h("h2", { id: "mandate-title" }, t("mandate_title")),
        h("p", { class: "small", id: "mandate" }, t("mandate_text", { creditor: creditor.name, identifier: creditor.identifier }))),
      labelled("accept", t("accept"), accept),
      after,
    ]);
    this.onPay = onPay;
    const { iban } = this.inputs;
    iban.addEventListener("input", () => {
      if (iban.selectionEnd === iban.value.length) iban.value = plain(iban.value).replace(/(.{4})(?=.)/g, "$1 ");
    });
  }

  check(name) {
    const input = this.inputs[name];
    if (name === "accept") return input.checked ? null : "accept_missing";
    if (name === "iban") return ibanFault(input.value);
    const text = input.value.trim();
    if (text === "") return `${name}_missing`;
    return name === "email" && !isAddress(text) ? "email_invalid" : null;
  }

  /** The service's faults at their fields; false when it named none of them. */
  tellFaults(faults) {
    const shown = Object.entries(faults).filter(([param]) => places[param]).map(([param, code]) => places[param](code));
    return !this.isWhole(Object.fromEntries(shown));
  }

  hand() {
    const { iban, name, email } = this.inputs;
    return this.onPay({ iban: plain(iban.value), name: name.value.trim(), email: email.value.trim() }, language);
  }
}
