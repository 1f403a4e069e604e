// The sandbox's page in the place of a wallet's, a bank's or a lender's. It speaks English: developers see it, customers do not.

import { announce, dash, h, show, sign, stuck } from "./dom.js";
import { amountText } from "./money.js";

const page = JSON.parse(document.getElementById("authentication").textContent);
const names = {
  paypal: "PayPal", venmo: "Venmo", ideal: "iDEAL", klarna: "Klarna", afterpay_clearpay: "Afterpay", affirm: "Affirm",
};
const name = names[page.method] ?? page.method;

/** A view of a heading, a line below it, and what can be pressed. */
function view(title, text, ...more) {
  announce(title);
  show(h("div", { class: "stack" }, more[0]?.localName === "svg" ? more.shift() : null, h("h1", { class: "lead" }, title),
    h("p", { class: "note" }, text), ...more));
}

const back = () => (page.return_url ? h("a", { class: "button", id: "return", href: page.return_url, rel: "noreferrer" }, "Back to the shop") : null);

async function choose(choice, buttons) {
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await fetch(`/pay/sandbox/${page.reference}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ choice }),
      credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer",
    });
    if (!answer.ok) throw new Error(String(answer.status));
    over();
    if (page.return_url) window.location.replace(page.return_url);
  } catch {
    announce("That did not work. Please try again.");
    for (const button of buttons) button.disabled = false;
  }
}

function over() {
  view("There is nothing more to do here", `You have left ${name}.`, sign("quiet", dash), back());
}

function start() {
  document.title = page.reference ? `${name} (sandbox)` : "Nothing here";
  if (!page.reference) {
    view("Nothing here", "This address is not in use.", sign("quiet", dash));
    return;
  }
  document.getElementById("summary").replaceChildren(
    h("p", { class: "label" }, "Amount to pay"),
    h("p", { class: "amount" }, amountText(page.amount, page.currency, page.exponent, "en")),
    h("p", { class: "tag" }, "Test mode: no money moves"));
  if (!page.is_waiting) {
    over();
    return;
  }
  const buttons = [["authorize", "Authorize the payment", null], ["fail", "Fail the payment", "second"]].map(([choice, label, kind]) =>
    h("button", { type: "button", id: choice, class: kind, onclick: () => choose(choice, buttons) }, label));
  view(name, `This page stands in the place of ${name}'s. You choose how the payment ends.`, ...buttons);
}

// A page that comes out of the browser's store may show what is long past.
window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
try { start(); } catch { stuck(); }
