// Apple Pay and Google Pay through the browser's own payment sheet: no script of theirs runs on this page.

import { decimal } from "./money.js";

const networks = ["visa", "masterCard", "amex", "discover"];

/** What the browser is asked for Apple Pay (the W3C's Payment Request with Apple's method). */
export function applePayMethod(link) {
  return {
    supportedMethods: "https://apple.com/apple-pay",
    data: {
      version: 3, merchantIdentifier: link.apple_pay.merchant, merchantCapabilities: ["supports3DS"],
      supportedNetworks: networks, countryCode: link.apple_pay.country ?? "US",
    },
  };
}

/** What the browser is asked for Google Pay: a token encrypted to our own key (`DIRECT`, ECv2). */
export function googlePayMethod(link) {
  return {
    supportedMethods: "https://google.com/pay",
    data: {
      environment: link.google_pay.environment, apiVersion: 2, apiVersionMinor: 0,
      merchantInfo: { merchantId: link.google_pay.merchant, merchantName: link.merchant ?? "" },
      allowedPaymentMethods: [{
        type: "CARD",
        parameters: {
          allowedAuthMethods: ["PAN_ONLY", "CRYPTOGRAM_3DS"],
          allowedCardNetworks: ["VISA", "MASTERCARD", "AMEX", "DISCOVER"],
        },
        tokenizationSpecification: {
          type: "DIRECT", parameters: { protocolVersion: "ECv2", publicKey: link.google_pay.public_key },
        },
      }],
    },
  };
}

/** The sum the sheet shows: the link's, to the last digit. */
export function details(link) {
  const amount = { currency: link.currency, value: decimal(link.amount, link.exponent) };
  return { total: { label: link.merchant ?? link.description ?? link.code, amount } };
}

/** The wallets of a link that this browser can show. */
export async function usable(link) {
  if (!("PaymentRequest" in window)) return [];
  const makers = { apple_pay: applePayMethod, google_pay: googlePayMethod };
  const found = [];
  for (const [name, method] of Object.entries(makers)) {
    if (!link.methods.includes(name)) continue;
    try {
      const request = new PaymentRequest([method(link)], details(link));
      if (await request.canMakePayment()) found.push({ name, method: method(link) });
    } catch {
      // A browser without this wallet refuses to be asked: the button stays away.
    }
  }
  return found;
}

/** Shows the sheet and returns the wallet's token; `null` when the reader closed it. */
export async function tokenOf(wallet, link, appleSession) {
  const request = new PaymentRequest([wallet.method], details(link));
  request.onmerchantvalidation = (event) => {
    event.complete(appleSession(event.validationURL).then((answer) => answer.session));
  };
  let response;
  try {
    response = await request.show();
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  }
  await response.complete("success");
  const data = response.details;
  return wallet.name === "apple_pay" ? data.token : data.paymentMethodData.tokenizationData.token;
}
