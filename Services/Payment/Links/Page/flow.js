// Talks to the service. A visit has one name, kept in this tab only: after a reload, or back from another site, the same
// payment is found again, and pressing twice pays once.

let code = "";
let session = "";
/** The payment that somebody came back from, as the address says; empty where it says none. */
let origin = "";

function drawn() {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/**
 * Finds this tab's visit to a link, or begins one. A provider leads back with the payment's id, perhaps in another tab or
 * browser: there the visit has no payment of its own, and is shown that one.
 */
export function visit(linkCode, cameFrom) {
  code = linkCode;
  origin = /^pay_[0-9a-z]{26}$/.test(cameFrom ?? "") ? cameFrom : "";
  try {
    session = kept(`pay ${code}`, "") || drawn();
    kept(`pay ${code}`, session);
    origin = kept(`from ${code}`, origin);
  } catch {
    // Storage is switched off: then the visit lasts until the page is closed.
    session ||= drawn();
  }
}

/** Keeps a text in this tab, unless it is empty: then what was kept before. */
function kept(key, text) {
  if (text) sessionStorage.setItem(key, text);
  return text || (sessionStorage.getItem(key) ?? "");
}

/** Keeps in this tab that a payment's customer left from here: a provider may lead back to a page that knows the payment only. */
export function leaving(payment) {
  try {
    kept(`left ${payment}`, code);
  } catch {
    // Storage is switched off: then that page says that it may be closed.
  }
}

/**
 * An answer that is not what was asked for. `faults` maps fields to the service's words for what is wrong; `isForLong` says
 * that it is no use to try again in a minute.
 */
export class Refusal extends Error {
  constructor(status, problem, seconds = 0) {
    super(problem?.code ?? String(status));
    this.status = status;
    this.isForLong = seconds > 60;
    this.code = problem?.code ?? "";
    this.faults = Object.fromEntries((problem?.errors ?? []).map((fault) => [fault.param, fault.code]));
  }
}

async function answerOf(request) {
  const answer = await request;
  const body = await answer.json().catch(() => null);
  if (!answer.ok || body === null) throw new Refusal(answer.status, body, Number(answer.headers.get("Retry-After")));
  return body;
}

function post(path, body) {
  return answerOf(fetch(`/pay/${code}/${path}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer",
  }));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The provider is still about what is to pay. */
const isPending = (error) => error?.code === "payment_method_pending";

/** Asks until there is an answer of the service: for what may be asked twice. `onTrouble` is told why there is none, then `null` once there is one. */
async function patiently(ask, onTrouble) {
  let isTroubled = false;
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      const answer = await ask();
      if (isTroubled) onTrouble(null);
      return answer;
    } catch (error) {
      if (error instanceof Refusal && error.status < 500 && !isPending(error)) throw error;
      isTroubled = true;
      onTrouble(error);
      await pause(wait);
    }
  }
}

/** Reads, until there is an answer of the service. What is only read also waits until there is room for it again. */
function read(path, onTrouble) {
  const ask = () => answerOf(fetch(`/pay/${code}/${path}`, { credentials: "omit", cache: "no-store" }));
  return patiently(() => ask().catch((error) => { throw error.status === 429 ? Object.assign(new Error("busy"), { isBusy: true }) : error; }), onTrouble);
}

export function status(onTrouble = () => {}) {
  return read(`status?session=${session}${origin ? `&payment_id=${origin}` : ""}`, onTrouble);
}

/** Hands the card to the vault, or what a provider's form or a wallet gave in its place; a number goes nowhere else and is not kept here. */
export function keepCard(given) {
  return post("card", { session, ...given });
}

/** Hands a bank account over, whose holder has agreed to the mandate in a language. */
export function keepAccount(account, language) {
  return post("bank_account", { session, bank_account: account, mandate: { accepted: true, language } });
}

/** What the amount comes to in instalments, from today on; asking begins nothing. */
export function plans(onTrouble) {
  return read("instalments", onTrouble);
}

/**
 * Pays with a card the vault knows: all, or the first part of a plan. `agreed`: to what else, a plan (`instalments`) or later
 * charges (`agreement`). Repeating it begins nothing new. `onPending` is told once where the provider is still about what was handed over, which is waited for.
 */
export function pay(method, onTrouble, agreed = {}, onPending = () => {}) {
  let isTold = false;
  return patiently(() => post("pay", { session, payment_method_id: method, ...agreed }), (error) => {
    if (!isPending(error)) return onTrouble(error);
    if (!isTold) onPending();
    isTold = true;
  });
}

/** Pays in another way. `attempts`: how many the page has seen fail, so that repeating it begins nothing new. */
export function payBy(method, attempts, onTrouble) {
  return patiently(() => post("pay", { session, method, attempts }), onTrouble);
}

/** Gives up what waits for the reader elsewhere, so that they can pay in another way; how it went, the status says. */
export function cancel(onTrouble) {
  return patiently(() => post("cancel", { session }), onTrouble);
}

export function confirm(challenge) {
  return post("confirm", { session, challenge });
}

export function appleSession(validationURL) {
  return post("apple_pay/session", { validation_url: validationURL });
}

/** Follows the payment until it needs somebody or is done. */
export async function follow(isOver, onTrouble) {
  for (let wait = 400; ; wait = Math.min(wait * 1.4, 2500)) {
    const seen = await status(onTrouble);
    if (isOver(seen)) return seen;
    await pause(wait);
  }
}
