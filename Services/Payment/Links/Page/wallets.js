// Apple Pay and Google Pay. Apple's is a part of the browser; Google's comes with a script of theirs, which the service
// puts into the page only where Google Pay is offered.

import { outside } from "./dom.js";
import { decimal } from "./money.js";
import { t } from "./text.js";

const base = { apiVersion: 2, apiVersionMinor: 0 };
const card = {
  type: "CARD",
  parameters: { allowedAuthMethods: ["PAN_ONLY", "CRYPTOGRAM_3DS"], allowedCardNetworks: ["VISA", "MASTERCARD", "AMEX", "DISCOVER"] },
};

const total = (link) => decimal(link.amount, link.exponent);

/** Google takes two decimals at most; it is offered where nothing but zeros stands beyond them. */
const totalForGoogle = (link) => total(link).replace(/(\.\d\d)0+$/, "$1");

/** What Google is asked for: a token that only the service can open, or one that is made for the provider that charges it. */
export function googleRequest(link) {
  const { merchant, tokenization } = link.wallets.google_pay;
  return {
    ...base,
    allowedPaymentMethods: [{ ...card, tokenizationSpecification: tokenization }],
    merchantInfo: { ...(merchant ? { merchantId: merchant } : {}), merchantName: link.merchant ?? "" },
    transactionInfo: {
      countryCode: link.wallets.country, currencyCode: link.currency, totalPriceStatus: "FINAL", totalPrice: totalForGoogle(link),
      checkoutOption: "COMPLETE_IMMEDIATE_PURCHASE",
    },
  };
}

async function googlePay(link) {
  const api = await outside("google-pay", () => globalThis.google?.payments?.api);
  if (!api) return null;
  const client = new api.PaymentsClient({ environment: link.wallets.google_pay.environment });
  const ready = await client.isReadyToPay({ ...base, allowedPaymentMethods: [card] });
  if (!ready.result) return null;
  const open = async () => {
    try {
      const data = await client.loadPaymentData(googleRequest(link));
      const token = JSON.parse(data.paymentMethodData.tokenizationData.token);
      // The provider's token has a name, which is all that the service needs of it.
      const handed = link.wallets.google_pay.for_provider ? { form: { token: token.id, wallet: "google_pay" } } : { wallet: { type: "google_pay", token } };
      return { handed, done: () => {} };
    } catch (error) {
      if (error?.statusCode === "CANCELED") return null;
      throw error;
    }
  };
  return { name: "google_pay", open };
}

/** What Apple is asked for. */
export function appleRequest(link) {
  return {
    countryCode: link.wallets.country, currencyCode: link.currency, merchantCapabilities: ["supports3DS"],
    supportedNetworks: ["visa", "masterCard", "amex", "discover"],
    total: { label: link.merchant ?? link.description ?? t("amount_due"), type: "final", amount: total(link) },
  };
}

async function applePay(link, appleSession) {
  const Session = globalThis.ApplePaySession;
  if (!Session?.canMakePayments()) return null;
  const open = () => new Promise((resolve, reject) => {
    const session = new Session(3, appleRequest(link));
    session.onvalidatemerchant = async (event) => {
      try {
        session.completeMerchantValidation((await appleSession(event.validationURL)).session);
      } catch (error) {
        session.abort();
        reject(error);
      }
    };
    session.onpaymentauthorized = (event) => resolve({
      handed: { wallet: { type: "apple_pay", token: event.payment.token.paymentData } },
      done: (isPaid) => {
        try {
          session.completePayment({ status: isPaid ? Session.STATUS_SUCCESS : Session.STATUS_FAILURE });
        } catch {
          // The reader, or the time that it has, closed the sheet: the page alone says how it went.
        }
      },
    });
    session.oncancel = () => resolve(null);
    session.begin();
  });
  return { name: "apple_pay", open };
}

/**
 * The link's wallets that this browser can pay with: each has a name, and opens its sheet from a press of a button. The sheet gives
 * what is `handed` over in the place of a card, and is told by `done` how it went.
 */
export async function usable(link, appleSession) {
  const wanted = { apple_pay: applePay, google_pay: googlePay };
  const found = Object.entries(wanted).filter(([name]) => link.methods.includes(name))
    // A browser that stumbles over a wallet shows no button of it.
    .map(([, find]) => find(link, appleSession).catch(() => null));
  return (await Promise.all(found)).filter((wallet) => wallet !== null);
}
