// Later charges: what the link has the reader agree to besides the payment, by paying or as they like.

import { h } from "./dom.js";
import { labelled } from "./fields.js";
import { language, t } from "./text.js";

export class Later {
  constructor(link) {
    this.isMeant = link.keep_method === "always";
    this.box = link.keep_method === "offered" ? h("input", { id: "later", type: "checkbox" }) : null;
    this.row = this.box ? labelled("later", t("later_offered"), this.box) : this.isMeant ? h("p", { class: "small", id: "later" }, t("later_always")) : null;
  }

  /** What is agreed to; `undefined` where nothing is. */
  get agreed() {
    return this.isMeant || this.box?.checked ? { accepted: true, language } : undefined;
  }
}
