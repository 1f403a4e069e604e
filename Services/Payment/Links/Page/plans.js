// Own instalments: the plans on offer, what each of them asks for and when, and the card that pays.

import { h } from "./dom.js";
import { labelled } from "./fields.js";
import { lateRule, moneyOf, schedule } from "./schedule.js";
import { language, t } from "./text.js";

/** The class of forms for the plans on offer, over that of forms for a card. `onPay` gets the card, and in what is agreed to the plan. */
export const planForm = (Cards) => class extends Cards {
  constructor(offers, link, onPay) {
    const box = h("input", { id: "agree", type: "checkbox", required: true, "aria-describedby": "agree-fault" });
    const facts = h("div", { class: "stack", id: "plan" });
    const choices = offers.map((offer, place) => h("label", { class: "choice" },
      h("input", { type: "radio", name: "plan", value: offer.terms, checked: place === 0, onchange: () => this.choose(offer) }),
      h("span", {}, t("plan_choice", { count: offer.schedule.length, total: moneyOf(offer.total_payable, link) }))));
    const plans = h("fieldset", {}, h("legend", { class: "legend" }, t("plan_choose")), choices);
    super("", onPay, [plans, facts], [labelled("agree", "", box)]);
    this.link = link;
    this.plans = plans;
    this.facts = facts;
    this.choose(offers[0]);
  }

  /** Shows a plan. Whoever had agreed to another has not agreed to this one. */
  choose(offer) {
    this.offer = offer;
    const amount = moneyOf(offer.schedule[0].amount, this.link);
    this.facts.replaceChildren(schedule(offer, this.link, "plan_now"), lateRule(offer.late, this.link));
    this.inputs.agree.checked = false;
    this.tell("agree", null);
    this.inputs.agree.nextElementSibling.textContent = t("agree", { amount });
    this.payLabel = t("pay", { amount });
    this.busy = false;
  }

  /** No other plan is chosen while this one is paid. */
  set busy(isBusy) {
    super.busy = isBusy;
    this.plans.disabled = isBusy;
  }

  agreed() {
    return { instalments: { terms: this.offer.terms, offer: this.offer.fingerprint, language, accepted: true } };
  }

  check(name) {
    if (name === "agree") return this.inputs.agree.checked ? null : "agree_missing";
    return super.check(name);
  }
};
