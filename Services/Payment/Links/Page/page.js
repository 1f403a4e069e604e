// The page of a link: reads what the service put into it, speaks the reader's language, and goes from form to outcome.

import { plainly } from "./card.js";
import { DebitForm } from "./debit.js";
import { CardForm } from "./form.js";
import { announce, h, show, stuck } from "./dom.js";
import * as flow from "./flow.js";
import { Later } from "./later.js";
import { amountText } from "./money.js";
import { PayerForm } from "./payer.js";
import { planForm } from "./plans.js";
import { stripeForm } from "./stripe.js";
import { language, languages, locale, nameOf, preferred, speak, t } from "./text.js";
import * as views from "./views.js";
import { usable } from "./wallets.js";

const link = JSON.parse(document.getElementById("link").textContent);
/** Ways to pay that have a form or a button of their own; all others lead to another site or show what to transfer. */
const here = ["card", "apple_pay", "google_pay"];
const names = { paypal: "PayPal", klarna: "Klarna", afterpay_clearpay: "Afterpay", affirm: "Affirm", ideal: "iDEAL" };
const nameOfMethod = (method) => (link.crypto?.[method] ? `${t("method_crypto")} (${link.crypto[method]})` : names[method] ?? t(`method_${method}`));
/** Forms for a card: our fields, or the provider's. */
const Cards = link.card_form?.name === "stripe" ? stripeForm(link.card_form.key) : CardForm;
const Plans = planForm(Cards);
let redraw = () => {};
/** Attempts that this page has seen fail. */
let attempts = 0;
/** Whether this page leads away by itself once it is told where to: it has begun an attempt, and has not left yet. */
let leads = false;
/** Whether a wallet's sheet is open; there can be one. */
let hasSheet = false;

function foot() {
  const choice = h("select", { id: "language", onchange: async (event) => {
    await speak(link.assets, event.target.value);
    draw(redraw);
    document.getElementById("language").focus();
  } }, languages.map((code) => h("option", { value: code, selected: code === language, lang: code }, nameOf(code))));
  const ways = link.methods ?? [];
  const promises = [
    ways.includes("card") && (link.card_form ? "secure_stripe" : "secure"), keepsNothing(ways) && "keeps_nothing",
    ways.includes("google_pay") && "secure_google",
  ].filter(Boolean).map((key) => t(key));
  document.getElementById("foot").replaceChildren(promises.length > 0 ? h("p", {}, promises.join(" ")) : "", h("label", {}, h("span", {}, t("language")), choice));
}

/** What the page is about: whom to pay or, where nobody says who that is, how much. */
function topic() {
  if (link.merchant) return t("pay_to", { merchant: link.merchant });
  return link.code ? t("pay", { amount: amountText(link.amount, link.currency, link.exponent, locale) }) : t("ask_title");
}

/** Whether nothing is kept of who pays here: no agreement, and nothing that a provider is told of them. */
function keepsNothing(ways) {
  if (!link.code) return true;
  const isAsked = ways.some((method) => method === "sepa_debit" || method === "instalments" || link.forms?.[method]);
  return link.state === "active" && !isAsked && !["offered", "always"].includes(link.keep_method);
}

/** Shows everything anew, in the language that is spoken now. */
function draw(view) {
  redraw = view;
  views.summary(link);
  foot();
  document.title = topic();
  view();
}

/** Goes where the payment stands. `box` makes what is said above the form, where it leads there. */
function settle(seen, box = null) {
  const payment = seen.payment;
  const action = payment?.next_action;
  attempts = payment?.attempts ?? 0;
  if (seen.reserved && (!payment || payment.status === "canceled" || payment.status === "failed")) return reserved(payment);
  if (payment?.status === "canceled" && payment.coins_received && seen.status === "active") return form(failureOf(payment));
  if (!payment || payment.status === "canceled") return standing(stateOf(seen), box, payment);
  if (payment.status === "succeeded") return outcome(seen, payment);
  if (payment.status === "failed") return seen.status === "active" ? form(failureOf(payment)) : draw(() => views.state(stateOf(seen), payment.coins_received));
  if (action?.type === "three_d_secure") return action.url ? leave(action.url, payment) : draw(() => views.challenge(answerChallenge));
  if (action?.type === "redirect") return leave(action.url, payment);
  if (action?.type === "transfer") {
    draw(() => (action.uri ? views.transfer(action, () => {}, payment.cancelable ? giveUp : null, payment.coins_received) : views.waiting("processing_transfer")));
    return follow((now) => JSON.stringify(now.payment?.next_action) !== JSON.stringify(action));
  }
  if (payment.held) {
    draw(() => views.waiting("processing_held"));
    return follow((now) => !now.payment?.held);
  }
  const text = payment.method === "sepa_debit" ? "processing_debit" : payment.slow ? "processing_slow" : "processing_text";
  draw(() => views.waiting(text, payment.cancelable ? giveUp : null));
  return follow((now) => !isUnderWay(now) || now.payment.cancelable !== payment.cancelable || now.payment.slow !== payment.slow);
}

/** What is told above the form of a payment that failed; `null` where nobody has refused it and nothing has come for it. */
function failureOf(payment) {
  const hasCoins = payment.coins_received === true;
  return payment.failure || hasCoins ? { ...payment.failure, method: payment.method, hasCoins } : null;
}

/** The link's state, as it is told. */
const stateOf = (seen) => (seen.withdrawn ? "withdrawn" : seen.status);

/** Whether it will go on in a while by itself; what is held waits for somebody to look at it. */
const isUnderWay = (seen) => seen.payment?.status === "processing" && !seen.payment.held;

function standing(status, box, payment = null) {
  if (status !== "active") return draw(() => views.state(status, payment?.coins_received));
  return form(null, box);
}

/** Others are paying, for as many payments as the link takes; there may be room again. */
function reserved(payment = null) {
  draw(() => views.state("reserved", payment?.coins_received));
  return follow((now) => !now.reserved);
}

/** A receipt is for the visit that paid; others only learn that it is paid. */
function outcome(seen, payment) {
  const isMine = payment.method !== null || seen.status === "active";
  draw(() => (isMine ? views.success(link, payment) : views.state("completed")));
}

function follow(isOver) {
  return look(() => flow.follow(isOver, views.trouble));
}

/** Goes where the payment stands, as the service says; where it will not say, no repeat would change that. */
async function look(ask = () => flow.status(views.trouble), box = null) {
  try {
    await settle(await ask(), box);
  } catch (error) {
    if (!(error instanceof flow.Refusal)) throw error;
    if (error.status === 404) draw(() => views.state("unknown"));
    else stuck();
  }
}

/** Leaves for another site, once, from the page that began the attempt; whoever comes back, or only looks, finds a button. */
function leave(url, payment) {
  draw(() => views.redirect(url, payment.cancelable ? giveUp : null));
  flow.leaving(payment.id);
  if (leads) window.location.assign(url);
  leads = false;
  return follow((now) => now.payment?.status !== "requires_action");
}

/** Gives up what waits elsewhere; what follows the payment already sees how that went. */
async function giveUp() {
  try {
    await flow.cancel(views.trouble);
    return true;
  } catch (error) {
    // It waits no more: the reader has finished meanwhile.
    if (error.status === 409) return true;
    views.note(error.status === 429 ? "busy_text" : "server");
    return false;
  }
}

async function answerChallenge(word) {
  try {
    settle(await flow.confirm(word));
  } catch {
    await look();
  }
}

/** Goes where an attempt stands that this page has begun. */
function begun(seen) {
  leads = true;
  settle(seen);
}

/** Hands over what pays and follows the payment; a refusal leads back to the form. */
async function begin(ask) {
  try {
    begun(await ask());
  } catch (error) {
    await refused(error);
  }
}

async function refused(error) {
  if (error instanceof flow.Refusal && error.code === "instalment_offer_changed") return form(null, () => views.alertBox(t("failed_title"), t("plan_changed")));
  if (error instanceof flow.Refusal && error.code === "payment_link_reserved") return reserved();
  if (error instanceof flow.Refusal && error.status === 409) return look(undefined, () => views.alertBox(t("failed_title"), t("server")));
  const isBusy = error instanceof flow.Refusal && error.status === 429;
  const text = isBusy ? (error.isForLong ? "busy_later" : "busy_text") : "server";
  form(null, () => views.alertBox(t("failed_title"), t(text)));
}

/** The form. `box` makes what is said above it, anew in each language. */
function form(failure, box = failure ? () => views.alertBox(t("failed_title"), views.failureText(failure)) : null) {
  draw(() => drawForm(box?.() ?? null));
}

function drawForm(box) {
  const offered = link.methods;
  const amount = amountText(link.amount, link.currency, link.exponent, locale);
  const later = new Later(link);
  const card = new Cards(t("pay", { amount }), (given, agreed) => payByCard(card, given, agreed), [], [later.row]);
  card.agreed = () => ({ agreement: later.agreed });
  const others = offered.filter((method) => !here.includes(method));
  const hasCard = offered.includes("card");
  const wallets = h("div", { class: "stack", hidden: true });
  const title = h("h1", { class: "lead", id: "form-title" }, t(hasCard && others.length === 0 ? "form_title" : "choose_method"));
  const parts = [title, box, wallets];
  if (others.length === 0 && hasCard) parts.push(card.node);
  else if (others.length > 0) parts.push(chooser(hasCard ? ["card", ...others] : others, card));
  else if (!offered.some((method) => method.endsWith("_pay"))) parts.push(h("p", { class: "note" }, t("no_method_text")));
  show(h("div", { class: "stack", id: "form" }, parts));
  if (hasCard) card.shown();
  if (box) box.querySelector("strong").focus();
  offerWallets(wallets, hasCard || others.length > 0);
}

/** Hands a card over and pays with it, at once or the first part of a plan, `agreed` to with it as later charges are; what is wrong with it is told at its fields. */
async function payByCard(form, given, agreed) {
  let method;
  // A card that a provider's form has taken pays once, unless its owner has agreed to more.
  if (given.form && (agreed.instalments || agreed.agreement)) given.form.keep = true;
  try {
    method = (await flow.keepCard(given)).payment_method_id;
  } catch (error) {
    if (error instanceof flow.Refusal && error.status === 422 && form.tellFaults(error.faults)) return;
    await refused(error);
    return;
  }
  await begin(() => flow.pay(method, views.trouble, agreed));
}

/** The plans are asked for when somebody wants to see them: they begin today. */
function plans() {
  const place = h("div", { class: "stack" }, h("div", { class: "wait", "aria-hidden": "true" }));
  announce(t("plan_loading"));
  flow.plans(views.trouble).then(({ data }) => {
    // Whoever has chosen another way meanwhile is told nothing of them.
    if (place.isConnected) announce(t(data.length === 0 ? "no_method_text" : "plan_choose"));
    if (data.length === 0) return place.replaceChildren(h("p", { class: "note" }, t("no_method_text")));
    const form = new Plans(data, link, (card, agreed) => payByCard(form, card, agreed));
    place.replaceChildren(form.node);
    return form.shown();
  }).catch(refused);
  return place;
}

/** Radio buttons for the ways to pay, with the chosen one's form below. */
function chooser(methods, card) {
  const below = h("div", { class: "stack" });
  const pick = (method) => {
    below.replaceChildren(method === "card" ? card.node : formOf(method));
    if (method === "card" && below.isConnected) card.shown();
  };
  const choices = methods.map((method, place) => h("label", { class: "choice" },
    h("input", { type: "radio", name: "method", value: method, checked: place === 0, onchange: () => pick(method) }), h("span", {}, nameOfMethod(method))));
  pick(methods[0]);
  return h("div", { class: "stack" }, h("fieldset", {}, h("legend", { class: "unseen" }, t("choose_method")), choices), below);
}

/** What leads on with a method: a button, or the form for what its provider must be told. */
function formOf(method) {
  const label = t("method_continue", { method: nameOfMethod(method) });
  if (method === "sepa_debit") return debitForm().node;
  if (method === "instalments") return plans();
  const asked = link.forms?.[method];
  if (!asked) {
    return h("button", { type: "button", onclick: () => { draw(() => views.waiting()); begin(() => flow.payBy({ type: method }, attempts, views.trouble)); } }, label);
  }
  const form = new PayerForm(label, asked, link, async (payer) => {
    try {
      begun(await flow.payBy({ type: method, payer }, attempts, views.trouble));
    } catch (error) {
      if (error instanceof flow.Refusal && error.status === 422 && form.tellFaults(error.faults)) return;
      await refused(error);
    }
  });
  return form.node;
}

function debitForm() {
  const amount = amountText(link.amount, link.currency, link.exponent, locale);
  const later = new Later(link);
  const form = new DebitForm(t("pay", { amount }), link.creditor, async (account, language) => {
    const agreement = later.agreed;
    try {
      const method = (await flow.keepAccount(account, language)).payment_method_id;
      begun(await flow.pay(method, views.trouble, { agreement }, () => draw(views.waiting)));
    } catch (error) {
      if (error instanceof flow.Refusal && error.status === 422 && form.tellFaults(error.faults)) return;
      await refused(error);
    }
  }, later.row);
  return form;
}

async function offerWallets(place, hasOthers) {
  const found = await usable(link, flow.appleSession);
  if (found.length === 0) {
    // Nothing else to pay with, and this browser has no wallet.
    if (!hasOthers) place.replaceChildren(h("p", { class: "note" }, t("no_method_text")));
    place.hidden = hasOthers;
    return;
  }
  const buttons = found.map((wallet) => h("button", { type: "button", class: "wallet", id: wallet.name, onclick: () => payWith(wallet) },
    t(`wallet_${wallet.name}`)));
  document.getElementById("form-title").textContent = t("choose_method");
  place.replaceChildren(...buttons, hasOthers ? h("p", { class: "or" }, t("or")) : "");
  place.hidden = false;
}

/** What a wallet's sheet gives; `null` where the reader closes it, or another one is open. */
async function openSheet(wallet) {
  if (hasSheet) return null;
  hasSheet = true;
  try {
    return await wallet.open();
  } finally {
    hasSheet = false;
  }
}

/** Opens a wallet's sheet, hands its token to the service, and tells the sheet how it went as soon as that is known. */
async function payWith(wallet) {
  let given = null;
  try {
    given = await openSheet(wallet);
    if (given === null) return;
    draw(() => views.waiting());
    const method = (await flow.keepCard(given.handed)).payment_method_id;
    let seen = await flow.pay(method, views.trouble);
    if (isUnderWay(seen)) seen = await flow.follow((now) => !isUnderWay(now), views.trouble);
    given.done(Boolean(seen.payment) && !["failed", "canceled"].includes(seen.payment.status));
    begun(seen);
  } catch (error) {
    given?.done(false);
    if (error instanceof flow.Refusal && error.status === 422) return form({ decline_class: "hard" });
    await refused(error);
  }
}

/** A page that asks for the code a device shows. */
function ask() {
  const fault = h("span", { class: "fault", id: "code-fault", hidden: true });
  const input = h("input", {
    id: "code", name: "code", class: "code-field", dir: "ltr", autocomplete: "off", autocapitalize: "characters", spellcheck: "false",
    maxlength: "12", required: true, "aria-describedby": "code-hint code-fault",
  });
  const submit = (event) => {
    const typed = plainly(input.value).toUpperCase().replace(/[ -]/g, "");
    if (/^[2-9A-HJKMNP-TV-Z]{8}$/.test(typed)) {
      input.value = typed;
      return;
    }
    event.preventDefault();
    fault.textContent = t("code_invalid");
    fault.hidden = false;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  };
  document.title = t("ask_title");
  show(h("form", { class: "stack", action: "/pay", method: "get", novalidate: true, onsubmit: submit }, h("h1", { class: "lead" }, t("ask_title")),
    h("div", { class: "field" }, h("label", { for: "code" }, t("ask_label")), h("span", { class: "box" }, input),
      h("span", { class: "hint", id: "code-hint" }, t("ask_text")), fault),
    h("button", { type: "submit" }, t("ask_go"))));
}

async function start() {
  await speak(link.assets, link.language ?? preferred(navigator.languages));
  if (!link.code) return draw(link.state === "ask" ? ask : () => views.state(link.state));
  flow.visit(link.code, new URLSearchParams(window.location.search).get("payment_id"));
  // Who comes back from a provider's page brings its marks along; they are nobody's business.
  if (window.location.search) window.history.replaceState(null, "", window.location.pathname);
  draw(views.looking);
  await look();
}

// A page that comes out of the browser's store may show what is long past.
window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
start().catch(stuck);
