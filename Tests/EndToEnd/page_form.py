"""Stripe's fields for a card on the hosted payment page, in a browser whose Stripe.js is a double."""

from __future__ import annotations

from .browser import Browser
from .harness import Case, World, eventually
from .page_double import CODE, STRIPE, STRIPE_POLICY, Double, picture, serving, speak, unexpected
from .page_instalments import AMOUNT, offers

FORM = {"name": "stripe", "key": "pk_test_page"}
# Stripe.js, as far as the page uses it: a field is an input where the frame would be, and what is typed into the number's decides.
STRIPE_SCRIPT = """
window.stripe = { mounted: 0, keys: [], locales: [], asked: [] };
window.Stripe = (key) => {
  window.stripe.keys.push(key);
  const part = (kind) => {
    const heard = {};
    const input = document.createElement("input");
    input.setAttribute("aria-label", kind);
    input.dataset.kind = kind;
    const wrong = { cardNumber: "invalid_number", cardExpiry: "invalid_expiry_year_past", cardCvc: "incomplete_cvc" }[kind];
    const tell = () => heard.change?.({
      empty: input.value === "", complete: !["", "x"].includes(input.value), brand: input.value.startsWith("37") ? "amex" : "visa",
      error: input.value === "x" ? { code: wrong } : undefined,
    });
    input.addEventListener("input", tell);
    input.addEventListener("blur", () => heard.blur?.());
    return {
      on: (name, hear) => { heard[name] = hear; },
      mount: (place) => {
        if (!place.isConnected) throw new Error("mounted where it cannot be seen");
        window.stripe.mounted += 1;
        input.value = "";
        place.replaceChildren(input);
      },
      unmount: () => input.remove(),
      focus: () => input.focus(),
      kind,
    };
  };
  return {
    elements: (options) => { window.stripe.locales.push(options.locale); return { create: (kind, options) => { window.stripe.style = options.style; return part(kind); } }; },
    createPaymentMethod: async (given) => {
      window.stripe.asked.push({ type: given.type, kind: given.card.kind });
      const number = document.querySelector("[data-kind=cardNumber]").value;
      await window.stripe.held;
      if (number === "declined") return { error: { code: "incorrect_number" } };
      if (number === "down") return { error: { type: "api_connection_error" } };
      return { paymentMethod: { id: `pm_${window.stripe.asked.length}` } };
    },
  };
};
"""


def opened(double: Double, browser: Browser) -> None:
    double.policy = STRIPE_POLICY
    browser.answer(STRIPE, STRIPE_SCRIPT)
    browser.visit(f"{double.url}/pay/{CODE}")
    browser.wait_for("[data-kind=cardCvc]")


def entered(browser: Browser, number: str) -> None:
    for kind, text in (("cardNumber", number), ("cardExpiry", "04 / 40"), ("cardCvc", "123")):
        place = f"document.querySelector('[data-kind={kind}]')"
        browser.run(f"(() => {{ const i = {place}; i.value = '{text}'; i.dispatchEvent(new Event('input')); }})()")


def pays(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.link = {"methods": ["card"], "card_form": FORM}
        opened(double, browser)
        picture(world, browser, "form")
        assert browser.run("window.stripe.keys") == ["pk_test_page"] and browser.run("window.stripe.locales") == ["en"]
        assert "from Stripe" in str(browser.run("document.getElementById('foot').textContent"))
        # Nothing was typed: the faults stand at the fields, and nobody is asked.
        browser.click("form button")
        browser.wait_for_text("Enter the card number.")
        assert browser.run("document.activeElement.dataset.kind") == "cardNumber"
        entered(browser, "x")
        browser.run("document.querySelector('[data-kind=cardNumber]').dispatchEvent(new Event('blur'))")
        browser.wait_for_text("This is not a card number.")
        assert browser.run("document.getElementById('news').textContent") == "This is not a card number. Please check the digits."
        assert browser.run("window.stripe.asked") == [] and double.kept == []
        # What only Stripe can know stands at its field, too; what is nobody's fault is told as such.
        for number, text in (("declined", "This is not a card number."), ("down", "We could not finish this.")):
            entered(browser, number)
            browser.click("form button")
            browser.wait_for_text(text)
        assert double.kept == []
        entered(browser, "4242")
        browser.click("form button")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        assert browser.run("window.stripe.asked.at(-1)") == {"type": "card", "kind": "cardNumber"}
        assert [body["form"] for body in double.kept] == [{"token": "pm_3"}], double.kept
        assert "card" not in double.kept[0] and double.asked[0]["payment_method_id"] == double.keeping[1]["payment_method_id"]
        # A card that was refused: the form is there again, as a new one.
        double.settle("failed", {"code": "insufficient_funds", "decline_class": "soft", "message": ""})
        browser.wait_for_text("not enough money")
        browser.wait_for("[data-kind=cardCvc]")
        double.payment = None
        entered(browser, "4242")
        browser.click("form button")
        eventually(lambda: len(double.asked) == 2, bool, 20, "nothing is paid")
        double.settle("succeeded")
        browser.wait_for("#success")
        assert [body["form"] for body in double.kept] == [{"token": "pm_3"}, {"token": "pm_4"}], double.kept
        assert not unexpected(browser), unexpected(browser)
        elsewhere = {request["url"] for request in browser.requests() if not request["url"].startswith(double.url)}
        assert elsewhere == {STRIPE}, elsewhere


def among_others(world: World) -> None:
    with serving() as double, Browser("en-GB", 390, 844, 2) as browser:
        double.link = {"methods": ["card", "klarna", "instalments"], "amount": str(AMOUNT), "card_form": FORM}
        double.plans = list(offers(world).values())
        opened(double, browser)
        picture(world, browser, "phone-form")
        # Another way and back: the fields are put where they can be seen, and work.
        browser.click("input[value=klarna]")
        browser.click("input[value=card]")
        browser.wait_for("[data-kind=cardCvc]")
        assert browser.run("window.stripe.mounted") == 6 and browser.run("window.stripe.keys.length") == 1
        # A plan is agreed to with the card, which is kept for it.
        browser.click("input[value=instalments]")
        browser.wait_for("table.plan")
        browser.wait_for("[data-kind=cardCvc]")
        picture(world, browser, "phone-form-plan")
        entered(browser, "4242")
        browser.click("form button")
        browser.wait_for_text("Please agree to the plan")
        assert double.kept == []
        browser.click("#agree")
        browser.click("form button")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        assert [body["form"] for body in double.kept] == [{"token": "pm_1", "keep": True}], double.kept
        assert double.asked[0]["instalments"]["accepted"] is True
        double.settle("succeeded")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()


def as_agreed(world: World) -> None:
    """What is chosen while Stripe is asked for the card's name is not what is paid."""
    with serving() as double, Browser("en-GB") as browser:
        double.link = {"methods": ["card", "instalments"], "amount": str(AMOUNT), "card_form": FORM}
        double.plans = list(offers(world).values())
        opened(double, browser)
        browser.click("input[value=instalments]")
        browser.wait_for("table.plan")
        browser.wait_for("[data-kind=cardCvc]")
        entered(browser, "4242")
        browser.click("#agree")
        browser.run("(() => { window.stripe.held = new Promise((resolve) => { window.letGo = resolve; }); })()")
        browser.click("form button")
        eventually(lambda: browser.run("window.stripe.asked.length"), bool, 20, "Stripe is not asked")
        browser.click(f"input[value={double.plans[-1]['terms']}]")
        speak(browser, "de")
        browser.wait_for_text("Wie möchten Sie bezahlen?")
        browser.run("window.letGo()")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        terms, offer = double.plans[0]["terms"], double.plans[0]["fingerprint"]
        agreed = {"terms": terms, "offer": offer, "language": "en", "accepted": True}
        assert double.asked[0]["instalments"] == agreed, double.asked
        assert not browser.complaints(), browser.complaints()


def agrees(world: World) -> None:
    """Later charges are agreed to by paying, or as the reader likes."""
    with serving() as double, Browser("de-DE", 390, 844, 2) as browser:
        double.link = {"methods": ["card"], "card_form": FORM, "keep_method": "always"}
        opened(double, browser)
        assert "stimmen Sie zu" in str(browser.run("document.getElementById('later').textContent"))
        picture(world, browser, "phone-later")
        entered(browser, "4242")
        browser.click("form button")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        assert [body["form"] for body in double.kept] == [{"token": "pm_1", "keep": True}], double.kept
        assert double.asked[0]["agreement"] == {"accepted": True, "language": "de"}, double.asked
        assert not browser.complaints(), browser.complaints()
    for ticks in (False, True):
        with serving() as double, Browser("en-GB") as browser:
            double.link = {"methods": ["card"], "keep_method": "offered"}
            browser.visit(f"{double.url}/pay/{CODE}")
            browser.wait_for("#number")
            for name, text in (("number", "4242424242424242"), ("expiry", "04 / 40"), ("cvc", "123")):
                browser.fill(f"#{name}", text)
            assert browser.run("document.querySelector('#later').checked") is False
            if ticks:
                browser.click("#later")
                picture(world, browser, "later-offered")
            browser.click("form button")
            eventually(lambda: double.asked, bool, 20, "nothing is paid")
            assert double.asked[0].get("agreement") == ({"accepted": True, "language": "en"} if ticks else None), double.asked
            assert not browser.complaints(), browser.complaints()


def blocked(world: World) -> None:
    with serving() as double, Browser("de-DE") as browser:
        double.link = {"methods": ["card", "paypal"], "card_form": FORM}
        double.policy = STRIPE_POLICY
        browser.answer(STRIPE, "// kept away by the browser")
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#blocked")
        browser.wait_for_text("konnten nicht von Stripe geladen werden")
        picture(world, browser, "form-blocked")
        assert browser.run("document.querySelector('#blocked').closest('form').querySelector('button').hidden")
        # The other way still leads on.
        browser.click("input[value=paypal]")
        browser.click("#form button")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        assert not browser.complaints(), browser.complaints()


CASES: list[Case] = [
    ("the number is typed into Stripe's fields, and its token pays; faults stand at the fields", pays),
    ("Stripe's fields beside other ways, and for a plan whose card is kept", among_others),
    ("the plan that was agreed to is paid, whatever is chosen while Stripe is asked", as_agreed),
    ("later charges are agreed to by paying, or by a box that is empty at first", agrees),
    ("where Stripe's script is kept away the page says so, and other ways lead on", blocked),
]
