// What is paid on which day, and what it comes to.

import { h } from "./dom.js";
import { amountText } from "./money.js";
import { locale, t } from "./text.js";

const dayText = (day) => new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" }).format(new Date(`${day}T00:00:00Z`));
const daysText = (count) => new Intl.NumberFormat(locale, { style: "unit", unit: "day", unitDisplay: "long" }).format(count);

/** Formatted from text, with the point moved: `"12.99e-2"` is 12.99 %. */
const percentText = (text) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 2 }).format(text);

export const moneyOf = (minor, link) => amountText(String(minor), link.currency, link.exponent, locale);

function row(name, value, kind = null) {
  return h("tr", { class: kind }, h("th", { scope: "row" }, name), h("td", {}, value));
}

/** The first part of a plan is paid on the day of the purchase. `word` says whether it is to be paid or was. */
export function schedule(plan, link, word) {
  const money = (minor) => moneyOf(minor, link);
  return h("table", { class: "plan" }, h("caption", {}, t("plan_schedule")),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("receipt_date")), h("th", { scope: "col" }, t("receipt_amount")))),
    h("tbody", {}, plan.schedule.map((part, place) => row(place === 0 ? `${dayText(part.due_on)} (${t(word)})` : dayText(part.due_on), money(part.amount)))),
    h("tfoot", {}, row(t("plan_purchase"), money(plan.amount)), row(t("plan_charge"), money(plan.charge)),
      row(t("plan_total"), money(plan.total_payable), "total"), row(t("plan_rate"), percentText(`${plan.annual_percentage_rate}e-2`))));
}

/** What being late costs. */
export function lateRule({ fee, fee_share: share, grace_days: days }, link) {
  const most = fee === null ? null : moneyOf(fee, link);
  const cost = share ? [percentText(share), most ? t("plan_at_most", { amount: most }) : null].filter(Boolean).join(", ") : most ?? t("plan_late_none");
  return h("dl", { class: "facts" }, h("div", {}, h("dt", {}, t("plan_late")), h("dd", {}, cost)),
    h("div", {}, h("dt", {}, t("plan_grace")), h("dd", {}, daysText(days))));
}
