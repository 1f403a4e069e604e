// Stripe's own fields for a card: what is typed into them goes to Stripe alone, and what comes back is a name for the card.

import { announce, h, outside } from "./dom.js";
import { boxed, Form } from "./fields.js";
import { language, t } from "./text.js";

const kinds = { number: "cardNumber", expiry: "cardExpiry", cvc: "cardCvc" };
/** The place and the text of what Stripe finds wrong (docs.stripe.com/js, validation errors and card errors). */
const faults = {
  incomplete_number: ["number", "number_invalid"], invalid_number: ["number", "number_invalid"], incorrect_number: ["number", "number_invalid"],
  incomplete_expiry: ["expiry", "expiry_invalid"], invalid_expiry_month: ["expiry", "expiry_invalid"], invalid_expiry_year: ["expiry", "expiry_invalid"],
  invalid_expiry_month_past: ["expiry", "expiry_past"], invalid_expiry_year_past: ["expiry", "expiry_past"], expired_card: ["expiry", "expiry_past"],
  incomplete_cvc: ["cvc", "cvc_invalid"], invalid_cvc: ["cvc", "cvc_invalid"], incorrect_cvc: ["cvc", "cvc_invalid"],
};
/** What Stripe's script gives for the account; there is one on a page. */
let account = null;

/** The class of forms whose fields are Stripe's, for the account of a key. They are built as `CardForm` is. */
export function stripeForm(key) {
  return class extends Form {
    constructor(payLabel, onPay, before = [], after = []) {
      const place = (name) => h("div", { id: name, class: "frame", dir: "ltr" });
      const places = { number: place("number"), expiry: place("expiry"), cvc: place("cvc") };
      const fields = h("div", { class: "stack" }, boxed("number", t("card_number"), "", places.number),
        h("div", { class: "pair" }, boxed("expiry", t("expiry"), "", places.expiry), boxed("cvc", t("cvc"), "", places.cvc)));
      super(payLabel, [...before, fields, ...after]);
      this.onPay = onPay;
      this.fields = fields;
      this.frames = places;
      this.inputs = { ...places, ...this.inputs };
      this.seen = {};
      for (const [name, frame] of Object.entries(places)) frame.focus = () => this.parts?.[name].focus();
    }

    /** Frames load where they stand, and anew wherever they are put. */
    async shown() {
      const script = await outside("card-form", () => globalThis.Stripe);
      if (!this.node.isConnected) return;
      if (!script) {
        this.fields.replaceChildren(h("p", { class: "note", id: "blocked" }, t("form_blocked")));
        this.button.hidden = true;
        announce(t("form_blocked"));
        return;
      }
      account ??= script(key);
      const isAgain = Boolean(this.parts);
      this.parts ??= this.made();
      this.seen = {};
      for (const [name, part] of Object.entries(this.parts)) {
        if (isAgain) part.unmount();
        part.mount(this.frames[name]);
      }
    }

    made() {
      const { color, fontFamily, fontSize } = getComputedStyle(this.frames.number);
      const muted = getComputedStyle(document.documentElement).getPropertyValue("--muted").trim();
      const style = { base: { color, fontFamily, fontSize, "::placeholder": { color: muted } }, invalid: { color } };
      const elements = account.elements({ locale: language });
      return Object.fromEntries(Object.entries(kinds).map(([name, kind]) => {
        const part = elements.create(kind, { style });
        part.on("change", (event) => {
          this.seen[name] = event;
          // A fault is told when the field is left, and taken back as soon as it is mended.
          if (!event.error) this.tell(name, null);
        });
        part.on("blur", () => { if (this.seen[name] && !this.seen[name].empty) this.tell(name, this.check(name)); });
        return [name, part];
      }));
    }

    check(name) {
      const seen = this.seen[name];
      if (!seen || seen.empty) return `${name}_missing`;
      if (seen.error) return faults[seen.error.code]?.[1] ?? `${name}_invalid`;
      return seen.complete ? null : `${name}_invalid`;
    }

    places() {
      return { digits: this.seen.number?.brand === "amex" ? 4 : 3 };
    }

    /** A frame of somebody else's cannot name our text as its own: it is read out. */
    tell(name, key) {
      super.tell(name, key);
      if (key && this.frames[name]) announce(t(key, this.places()));
    }

    /** The service knows nothing of what was typed. */
    tellFaults() {
      return false;
    }

    async hand(agreed) {
      const { paymentMethod, error } = await account.createPaymentMethod({ type: "card", card: this.parts.number });
      if (paymentMethod) return this.onPay({ form: { token: paymentMethod.id } }, agreed);
      const [name, key] = faults[error.code] ?? ["number", "server"];
      return this.isWhole({ [name]: key });
    }
  };
}
