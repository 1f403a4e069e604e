"""Wallets on the hosted payment page, in a browser whose wallets are doubles."""

from __future__ import annotations

from .browser import Browser
from .harness import Case, World, eventually
from .page_double import CODE, GOOGLE, GOOGLE_POLICY, picture, serving, unexpected

WALLETS = {
    "country": "DE",
    "google_pay": {
        "environment": "TEST", "merchant": "12345678901234567890",
        "tokenization": {"type": "DIRECT", "parameters": {"protocolVersion": "ECv2", "publicKey": "BGV5"}},
    },
}  # fmt: skip
# Google's script and Apple's part of a browser, as far as the page uses them; the sheets answer as `window.sheet` says.
GOOGLE_SCRIPT = """
window.seen = {};
window.google = { payments: { api: { PaymentsClient: class {
  constructor(options) { window.seen.options = options; }
  async isReadyToPay(request) { window.seen.ready = request; return { result: !window.sheet?.without }; }
  async loadPaymentData(request) {
    window.seen.request = request;
    if (!/^[0-9]+(\\.[0-9][0-9])?$/.test(request.transactionInfo.totalPrice)) throw { statusCode: "DEVELOPER_ERROR" };
    if (window.sheet?.closed) throw { statusCode: "CANCELED" };
    return { paymentMethodData: { tokenizationData: { token: JSON.stringify(window.sheet?.token ?? { protocolVersion: "ECv2", signedMessage: "m" }) } } };
  }
} } } };
"""
APPLE_SCRIPT = """
window.apple = [];
window.ApplePaySession = class {
  static STATUS_SUCCESS = 0;
  static STATUS_FAILURE = 1;
  static canMakePayments() { return true; }
  constructor(version, request) { window.apple.push({ version, request }); }
  begin() { setTimeout(() => this.onvalidatemerchant({ validationURL: "https://apple-pay-gateway.apple.com/x" })); }
  completeMerchantValidation(session) {
    window.apple.push({ session });
    setTimeout(() => this.onpaymentauthorized({ payment: { token: { paymentData: { version: "EC_v1", data: "d" } } } }));
  }
  completePayment(result) {
    if (window.lapses) { this.oncancel(); throw new DOMException("The sheet is closed.", "InvalidAccessError"); }
    window.apple.push(result);
  }
  abort() { window.apple.push("aborted"); }
};
"""


def with_google(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.link = {"methods": ["google_pay", "card"], "wallets": WALLETS}
        double.policy = GOOGLE_POLICY
        browser.answer(GOOGLE, GOOGLE_SCRIPT)
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#google_pay")
        picture(world, browser, "wallet")
        browser.run("window.sheet = {closed: true}")
        browser.click("#google_pay")
        request = eventually(lambda: browser.run("window.seen.request"), bool, 20, "Google's sheet is not opened")
        assert browser.run("window.seen.options") == {"environment": "TEST"}
        assert "tokenizationSpecification" not in browser.run("window.seen.ready.allowedPaymentMethods[0]")
        assert request["allowedPaymentMethods"][0]["tokenizationSpecification"] == WALLETS["google_pay"]["tokenization"]  # type: ignore[index]
        assert request["merchantInfo"] == {"merchantId": "12345678901234567890", "merchantName": "Nordlicht Audio"}
        money = {"countryCode": "DE", "currencyCode": "EUR", "totalPriceStatus": "FINAL", "totalPrice": "129.00"}
        assert money.items() <= request["transactionInfo"].items(), request["transactionInfo"]
        # Closing the sheet changes nothing; then it is not closed, and the token goes where a card would.
        assert double.kept == [] and double.asked == [] and browser.run("!!document.querySelector('#number')")
        browser.run("window.sheet = null")
        browser.click("#google_pay")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        assert [body["wallet"] for body in double.kept] == [
            {"type": "google_pay", "token": {"protocolVersion": "ECv2", "signedMessage": "m"}}
        ], double.kept
        assert double.asked[0]["payment_method_id"] == double.keeping[1]["payment_method_id"]
        double.settle("succeeded")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()
        elsewhere = {request["url"] for request in browser.requests() if not request["url"].startswith(double.url)}
        assert elsewhere == {GOOGLE}, elsewhere


def of_three_decimals(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        money = {"amount": "4500", "currency": "KWD", "exponent": 3}
        double.link = {"methods": ["google_pay", "card"], "wallets": WALLETS} | money
        double.policy = GOOGLE_POLICY
        browser.answer(GOOGLE, GOOGLE_SCRIPT)
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.click("#google_pay")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        asked = browser.run("window.seen.request.transactionInfo")
        assert asked["totalPrice"] == "4.50" and asked["currencyCode"] == "KWD", asked


def with_stripe(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        parameters = {"gateway": "stripe", "stripe:version": "2026-10-28.endive", "stripe:publishableKey": "pk_test_page"}
        google = {"tokenization": {"type": "PAYMENT_GATEWAY", "parameters": parameters}, "for_provider": True}
        double.link = {
            "methods": ["google_pay", "card"],
            "wallets": WALLETS | {"google_pay": WALLETS["google_pay"] | google},  # type: ignore[operator]
        }
        double.policy = GOOGLE_POLICY
        browser.answer(GOOGLE, GOOGLE_SCRIPT)
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#google_pay")
        browser.run("window.sheet = {token: {id: 'tok_1', object: 'token', card: {last4: '4242'}}}")
        browser.click("#google_pay")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        asked = browser.run("window.seen.request.allowedPaymentMethods[0].tokenizationSpecification")
        assert asked == google["tokenization"], asked
        # Of what Stripe said of the card only the token's name is handed over.
        assert [body["form"] for body in double.kept] == [{"token": "tok_1", "wallet": "google_pay"}], double.kept
        assert "wallet" not in double.kept[0], double.kept
        assert double.asked[0]["payment_method_id"] == double.keeping[1]["payment_method_id"]
        double.settle("succeeded")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()


def without_google(world: World) -> None:
    with serving() as double, Browser("en-GB", 390, 844, 2) as browser:
        double.link = {"methods": ["google_pay", "card"], "wallets": WALLETS}
        double.policy = GOOGLE_POLICY
        browser.before_pages("window.sheet = {without: true}")
        browser.answer(GOOGLE, GOOGLE_SCRIPT)
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#number")
        eventually(lambda: browser.run("window.seen?.ready"), bool, 20, "Google is not asked")
        assert not browser.run("!!document.querySelector('#google_pay')")
        double.link = {"methods": ["google_pay"], "wallets": WALLETS}
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("cannot be paid here")
        picture(world, browser, "phone-no-wallet")
        assert not browser.complaints(), browser.complaints()


def with_apple(world: World) -> None:
    with serving() as double, Browser("en-GB", 390, 844, 2) as browser:
        double.link = {"methods": ["apple_pay", "card"], "wallets": WALLETS | {"google_pay": None}}
        browser.before_pages(APPLE_SCRIPT)
        browser.visit(f"{double.url}/pay/{CODE}")
        # A token that the service refuses: the sheet is told, and so is the reader.
        double.keeping = (422, {"code": "invalid_request", "errors": [{"param": "wallet.token", "code": "wallet_token_refused"}]})
        browser.click("#apple_pay")
        browser.wait_for(".alert")
        picture(world, browser, "phone-wallet-refused")
        assert browser.run("window.apple.at(-1)") == {"status": 1} and double.asked == []
        double.keeping = (201, {"payment_method_id": "pm_01jd9y4w3hf3zt0v8c2m5k7q9r"})
        browser.click("#apple_pay")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        double.settle("succeeded")
        browser.wait_for("#success")
        told = browser.run("window.apple")
        assert told[0]["version"] == 3 and told[0]["request"]["total"]["amount"] == "129.00", told
        assert told[0]["request"]["total"]["label"] == "Nordlicht Audio" and told[0]["request"]["countryCode"] == "DE"
        assert told[1] == {"session": {"asked": "https://apple-pay-gateway.apple.com/x"}} and told[-1] == {"status": 0}
        assert double.kept[1]["wallet"] == {"type": "apple_pay", "token": {"version": "EC_v1", "data": "d"}}
        assert not unexpected(browser), unexpected(browser)
        assert all(request["url"].startswith(double.url) for request in browser.requests())


def lapsed_apple(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.link = {"methods": ["apple_pay", "card"], "wallets": WALLETS | {"google_pay": None}}
        browser.before_pages(APPLE_SCRIPT + "window.lapses = true;")
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#apple_pay")
        browser.run("(() => { const b = document.querySelector('#apple_pay'); b.click(); b.click(); b.click(); })()")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        double.settle("succeeded")
        browser.wait_for("#success")
        sheets = [told for told in browser.run("window.apple") if "version" in told]
        assert len(sheets) == 1 and len(double.kept) == 1, "pressing again opens another sheet"
        assert not browser.complaints(), browser.complaints()


CASES: list[Case] = [
    ("Google Pay's token goes where a card would, and Google's script is all that comes from elsewhere", with_google),
    ("Google Pay is asked for two decimals of a currency that has three, which is all it takes", of_three_decimals),
    ("Google Pay for Stripe's gateway hands the name of Stripe's token over, and nothing else of it", with_stripe),
    ("a browser without Google Pay shows no button, and says so where there is no other way", without_google),
    ("Apple Pay's merchant is validated by the service, and its sheet is told how the payment went", with_apple),
    ("a sheet of Apple Pay's that closes before the payment is through leaves the page to say how it went", lapsed_apple),
]
