// The page on which a customer authenticates: the issuer's script in a hidden frame, its challenge in a visible one, and
// back to the shop. Nothing that a frame says decides anything; it only makes this page ask sooner. It also is the page that
// a provider sends customers back to.

import { announce, check, dash, h, show, sign, stuck } from "./dom.js";
import { amountText } from "./money.js";
import { preferred, read } from "./text.js";

const page = JSON.parse(document.getElementById("authentication").textContent);
const language = preferred(navigator.languages);
const locale = navigator.languages.find((tag) => tag.toLowerCase().split("-")[0] === language) ?? language;
let texts = {};
/** Called when a frame of ours has reported, or the time for it is over. */
let wake = () => {};

const t = (key) => texts[key] ?? key;
const pause = (milliseconds) => new Promise((resolve) => {
  const timer = setTimeout(resolve, milliseconds);
  wake = () => { clearTimeout(timer); resolve(); };
});

function browser() {
  return {
    accept_header: "text/html,application/xhtml+xml,*/*;q=0.8", user_agent: navigator.userAgent, language: navigator.language,
    color_depth: screen.colorDepth, screen_height: screen.height, screen_width: screen.width,
    time_zone_minutes: new Date().getTimezoneOffset(),
  };
}

/** An answer that no repeat would change. */
class Refusal extends Error {
  constructor(status) {
    super(String(status));
    this.status = status;
  }
}

async function answerOf(request) {
  const answer = await request;
  const isFinal = answer.status >= 400 && answer.status < 500 && answer.status !== 409 && answer.status !== 429;
  if (isFinal) throw new Refusal(answer.status);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

const options = { credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" };
const address = (path) => `/pay/authentication/${page.code}/${path}`;
const advance = () => answerOf(fetch(address("step"), {
  ...options, method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(browser()),
}));
const status = () => answerOf(fetch(address("status"), options));

/** Asks until there is an answer, or a refusal: every step may be asked for twice. */
async function patiently(ask) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof Refusal) throw error;
      announce(t("network"));
      await pause(wait);
    }
  }
}

/** Posts a form into a frame. */
function post(form, frame) {
  const inputs = form.fields.map((field) => h("input", { type: "hidden", name: field.name, value: field.value }));
  const node = h("form", { method: "post", action: form.address, target: frame, hidden: true }, inputs);
  document.body.append(node);
  node.submit();
  node.remove();
}

const heading = (text) => h("h1", { class: "lead" }, text);

function waiting(title, text) {
  announce(title);
  show(h("div", { class: "stack" }, h("div", { class: "wait", "aria-hidden": "true" }), heading(title), h("p", { class: "note" }, text)));
}

/** Lets the issuer's script look at the browser for as long as it may. */
async function runMethod(step) {
  document.querySelector("iframe.silent")?.remove();
  document.body.append(h("iframe", { class: "silent", name: "method", title: t("waiting_title"), tabindex: "-1", "aria-hidden": "true" }));
  const over = pause(Math.min(Math.max(step.wait_milliseconds, 0), 10_000) + 250);
  post(step.form, "method");
  await over;
  document.querySelector("iframe.silent")?.remove();
}

function challenge(form) {
  announce(t("challenge_title"));
  show(h("div", { class: "stack" }, heading(t("challenge_title")), h("p", { class: "note" }, t("challenge_text")),
    h("iframe", { class: "bank", name: "bank", title: t("frame_title") })));
  post(form, "bank");
}

/** The way back to the shop, which learns the outcome from the service and not from the address. */
function leave(url, payment) {
  const back = new URL(url);
  back.searchParams.set("payment_id", payment);
  return back.href;
}

/** The page of a link that this tab left for a provider, to pay; the address that the provider leads back to does not tell it. */
function leftFrom(payment) {
  try {
    const code = sessionStorage.getItem(`left ${payment}`);
    return code ? `${window.location.origin}/pay/${code}` : null;
  } catch {
    return null;
  }
}

/** The last view: how it ended, and the way back to the shop, which is taken at once. */
function end(signs, title, url, payment) {
  announce(title);
  const back = url ? leave(url, payment) : null;
  show(h("div", { class: "stack" }, sign(...signs), heading(title),
    h("p", { class: "note" }, t(back ? "back_text" : "close_text")),
    back ? h("a", { class: "button", id: "return", href: back, rel: "noreferrer" }, t("back")) : null));
  if (back) window.location.replace(back);
}

function over(step) {
  const isGood = step.payment_status === "succeeded" || step.payment_status === "authorized";
  end(isGood ? ["good", check] : ["quiet", dash], t(isGood ? "done_title" : "failed_title"), step.return_url, step.payment_id);
}

function summary() {
  document.getElementById("summary").replaceChildren(
    h("p", { class: "label" }, t("amount")),
    h("p", { class: "amount" }, amountText(page.amount, page.currency, page.exponent, locale)),
    page.is_sandbox ? h("p", { class: "tag" }, t("sandbox")) : "");
}

/** Goes from step to step until the payment is over. */
async function follow() {
  let step = await patiently(advance);
  let shown = "";
  for (let wait = 400; step.step !== "over"; wait = Math.min(wait * 1.4, 2500)) {
    if (step.step !== shown) wait = 400;
    if (step.step === "method") {
      await runMethod(step);
      step = await patiently(advance);
      continue;
    }
    if (step.step === "challenge" && shown !== "challenge") challenge(step.form);
    else if (step.step === "decoupled" && shown !== "decoupled") waiting(t("decoupled_title"), t("decoupled_text"));
    else if (step.step === "waiting" && shown !== "waiting") waiting(t("waiting_title"), t("waiting_text"));
    shown = step.step;
    await pause(wait);
    step = await patiently(step.step === "ready" ? advance : status);
  }
  over(step);
}

function unknown() {
  show(h("div", { class: "stack" }, sign("quiet", dash), heading(t("unknown_title")), h("p", { class: "note" }, t("unknown_text"))));
}

/** What a refusal leaves: an address that leads nowhere, or a payment that this browser cannot confirm. */
function refused(error) {
  if (!(error instanceof Refusal)) throw error;
  if (error.status === 404) unknown();
  else end(["quiet", dash], t("failed_title"), null);
}

async function start() {
  const all = await read(`${page.assets}/authenticate-text.json`);
  if (all === null) throw new Error("no texts");
  texts = { ...all.en, ...all[language] };
  document.documentElement.lang = language;
  document.documentElement.dir = language === "ar" ? "rtl" : "ltr";
  document.title = t("title");
  // Back from a provider's page: there is nothing left to do here.
  if (page.returned) {
    end(["quiet", dash], t("returned_title"), page.return_url ?? leftFrom(page.returned), page.returned);
    return;
  }
  if (!page.code) {
    unknown();
    return;
  }
  summary();
  waiting(t("waiting_title"), t("waiting_text"));
  await follow().catch(refused);
}

window.addEventListener("message", (event) => {
  if (event.origin === window.location.origin && event.data?.authentication === page.code) wake();
});
// A page that comes out of the browser's store may show what is long past.
window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });
start().catch(stuck);
