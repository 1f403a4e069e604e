// What the page shows beside the form: waiting, steps elsewhere, outcomes and the states of a link.

import { labelOf } from "./card.js";
import { announce, check, dash, h, show, sign } from "./dom.js";
import { amountText } from "./money.js";
import { schedule } from "./schedule.js";
import { has, locale, t } from "./text.js";

const heading = (text) => h("h1", { class: "lead" }, text);

/** The left side: who is paid, what for, how much. */
export function summary(link) {
  if (!link.code) return;
  const logo = link.logo ? h("img", { src: link.logo, alt: "", referrerpolicy: "no-referrer", decoding: "async" }) : null;
  const parts = [h("div", { class: "brand" }, logo, link.merchant ? h("span", {}, link.merchant) : null)];
  parts.push(
    h("p", { class: "label" }, t("amount_due")),
    h("p", { class: "amount" }, amountText(link.amount, link.currency, link.exponent, locale)),
    link.description ? h("p", { class: "purpose" }, h("bdi", {}, link.description)) : "");
  if (link.is_sandbox) parts.push(h("p", { class: "tag" }, t("sandbox")));
  if (link.cancel_url && link.state === "active") {
    parts.push(h("p", {}, h("a", { class: "quiet-link", id: "cancel", href: link.cancel_url, rel: "noreferrer" }, t("cancel"))));
  }
  document.getElementById("summary").replaceChildren(...parts);
}

/** A link that cannot be paid, a code that leads nowhere. */
export function state(name, hasCoins = false) {
  const kind = name === "completed" ? ["good", check] : ["quiet", dash];
  document.title = t(`${name}_title`);
  if (name === "completed" || name === "withdrawn") nothingDue();
  show(h("div", { class: "stack" }, sign(...kind), heading(t(`${name}_title`)), h("p", { class: "note" }, t(`${name}_text`)),
    hasCoins ? h("p", {}, t("failed_coins")) : null,
    name === "unknown" ? h("p", {}, h("a", { href: "/pay" }, t("ask_title"))) : null));
}

/** Nothing is to be paid any more: the sum beside says what it was about. */
function nothingDue() {
  const label = document.querySelector("#summary .label");
  if (label) label.textContent = t("receipt_amount");
}

/** Once a payment has begun there is nothing to cancel by leaving. */
function noWayBack() {
  document.getElementById("cancel")?.parentElement.remove();
}

/** Nothing is known yet. */
export function looking() {
  show(h("div", { class: "stack" }, h("div", { class: "wait", "aria-hidden": "true" }), h("p", { class: "note", id: "wait-note" })));
}

/** The payment is with the service; one that no provider has heard of can be given up. */
export function waiting(text = "processing_text", onGiveUp = null) {
  noWayBack();
  announce(t("processing_title"));
  show(h("div", { class: "stack" }, h("div", { class: "wait", "aria-hidden": "true" }), heading(t("processing_title")),
    h("p", { class: "note", id: "wait-note" }, t(text)), otherWay("other_way", onGiveUp)));
}

/** Says something beside what is shown. */
export function note(key) {
  const place = document.getElementById("wait-note");
  if (place) place.textContent = t(key);
  announce(t(key));
}

/** What stood where it says that nobody answers. */
let stood = null;

/** Says so while nobody answers, and puts back what stood there when somebody has (`null`). */
export function trouble(error) {
  const place = document.getElementById("wait-note");
  if (error) {
    if (stood?.place !== place) stood = { place, text: place?.textContent ?? "" };
    note(error.isBusy ? "busy_wait" : "network");
    return;
  }
  if (stood?.place === place) {
    if (place) place.textContent = stood.text;
    announce(stood.text);
  }
  stood = null;
}

/** The sandbox's 3-D Secure challenge. */
export function challenge(onAnswer) {
  const answer = (word) => async (event) => {
    const buttons = event.currentTarget.parentElement.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    await onAnswer(word);
  };
  show(h("div", { class: "stack", id: "challenge" }, heading(t("challenge_title")), h("p", { class: "note" }, t("challenge_text")),
    h("button", { type: "button", id: "challenge-pass", onclick: answer("passed") }, t("challenge_pass")),
    h("button", { type: "button", class: "second", id: "challenge-fail", onclick: answer("failed") }, t("challenge_fail"))));
}

/** The way to pay otherwise; nothing where this visit has none. `onGiveUp` says whether what waits elsewhere is given up. */
function otherWay(text, onGiveUp) {
  if (!onGiveUp) return null;
  return h("button", { type: "button", class: "second", id: "other-way", onclick: async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    button.disabled = await onGiveUp();
  } }, t(text));
}

/** A step on another site, which leads back here. */
export function redirect(url, onGiveUp) {
  const host = new URL(url).host;
  show(h("div", { class: "stack" }, heading(t("redirect_title")), h("p", { class: "note" }, t("redirect_text", { host })),
    h("a", { class: "button", id: "redirect", href: url, rel: "noreferrer" }, t("redirect_go")), otherWay("other_way", onGiveUp),
    h("p", { class: "note small", id: "wait-note" })));
}

/** A transfer the reader makes from a wallet of their own. */
export function transfer(action, onTrouble, onGiveUp, isPart = false) {
  const copy = (text) => h("button", { type: "button", class: "second copy", onclick: async (event) => {
    const button = event.currentTarget;
    await navigator.clipboard.writeText(text).then(() => { button.textContent = t("copied"); announce(t("copied")); }, onTrouble);
  } }, t("copy"));
  const until = action.expires_at ? new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(action.expires_at)) : null;
  show(h("div", { class: "stack" }, heading(t("transfer_title")), h("p", { class: "note" }, t(isPart ? "transfer_part" : "transfer_text")),
    // What is asked for changes under one address: a browser shows a picture that it has anew.
    action.qr ? h("img", { class: "qr", src: `${action.qr}&v=${encodeURIComponent(action.uri)}`, alt: t("qr_label") }) : null,
    h("dl", { class: "facts" },
      fact(t("receipt_amount"), h("bdi", {}, [action.amount, action.asset].filter(Boolean).join(" "))),
      fact(t("transfer_address"), h("bdi", { class: "mono" }, action.address)),
      until ? fact(t("transfer_until"), until) : null),
    h("a", { class: "button", href: action.uri }, t("transfer_open")), copy(action.address),
    otherWay(isPart ? "other_way" : "other_way_transfer", onGiveUp),
    h("p", { class: "note small", id: "wait-note" })));
}

function fact(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

/** The payment went through: the receipt's facts and the way back. */
export function success(link, payment) {
  noWayBack();
  nothingDue();
  const when = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" }).format(new Date(payment.created_at));
  const last4 = payment.card_last4;
  const isDebit = payment.method === "sepa_debit";
  const card = last4 && !isDebit ? t("card_ending", { brand: labelOf(payment.card_brand) || t("card"), last4 }) : null;
  document.title = t("success_title");
  const plan = payment.instalments;
  const title = t(plan ? "plan_success" : "success_title");
  announce(title);
  show(h("div", { class: "stack", id: "success" }, sign("good", check), heading(title),
    h("p", { class: "note" }, t("success_text")),
    h("dl", { class: "facts" },
      fact(t("receipt_amount"), amountText(String(payment.amount), payment.currency, link.exponent, locale)),
      link.merchant ? fact(t("receipt_to"), h("bdi", {}, link.merchant)) : null,
      link.description ? fact(t("receipt_for"), h("bdi", {}, link.description)) : null,
      fact(t("receipt_date"), when), card ? fact(t("receipt_card"), card) : null,
      last4 && isDebit ? fact(t("method_sepa_debit"), h("bdi", {}, `•••• ${last4}`)) : null,
      fact(t("receipt_reference"), h("bdi", { class: "mono" }, payment.id))),
    plan ? schedule(plan, link, "plan_paid") : null,
    link.success_url ? h("a", { class: "button", id: "return", href: link.success_url, rel: "noreferrer" },
      link.merchant ? t("return_to", { merchant: link.merchant }) : t("return")) : null,
    h("button", { type: "button", class: "second", onclick: () => window.print() }, t("print"))));
}

/** Declines that say more than their class, by the text for them, whatever was paid with. */
const told = {
  insufficient_funds: "insufficient_funds", too_many_attempts: "soft", unknown: "soft",
  // Nobody who could decline it was asked.
  processing_error: "unasked", provider_configuration: "unasked", provider_credentials: "unasked", issuer_not_available: "unasked",
};
/** The same of cards; another method with a card behind it is not entered anew. */
const toldOfCards = {
  expired_card: "expired_card", incorrect_cvc: "incorrect_cvc", incorrect_expiry: "incorrect_expiry", pin_required: "card_hard",
  card_not_activated: "bank", blocked_by_cardholder: "bank", call_issuer: "bank", pin_try_exceeded: "bank",
};

/** Why the last attempt failed, in words that help, of the method it was made with as far as this visit knows it; and that coins have come. */
export function failureText({ code, decline_class: kind, method, hasCoins }) {
  const isCard = method === "card";
  const byCode = told[code] ?? (isCard || !method ? toldOfCards[code] : undefined);
  const byClass = [isCard ? `failed_card_${kind}` : "", `failed_${kind}`, "failed_soft"].find(has);
  const refusal = t(byCode ? `failed_${byCode}` : byClass);
  if (!hasCoins) return refusal;
  // What came was too little or too late: nobody has refused anything.
  return !code || code === "underpaid" || code === "paid_late" ? t("failed_coins") : `${refusal} ${t("failed_coins")}`;
}

/** A box above the form that is read out as soon as it is there. */
export function alertBox(title, text) {
  return h("div", { class: "alert", role: "alert" }, h("strong", { tabindex: "-1" }, title), h("span", {}, text));
}
