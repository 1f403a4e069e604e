"""The hosted payment page where a payment goes on elsewhere: at a provider whose page leads back, or in a wallet.

No provider stands behind a test stack, so a double answers as the service does."""

from __future__ import annotations

from .browser import Browser
from .harness import Case, World, eventually
from .page_double import CODE, picture, serving, unexpected
from .payment_page import FAINT, NAMELESS


def choose(browser: Browser, method: str) -> None:
    browser.click(f"input[value={method}]")
    browser.click("#form button[type=button]:not(.wallet)")


def to_provider(browser: Browser) -> None:
    browser.until(lambda: browser.run("location.pathname") == "/provider", "the page does not lead away")


def led_away(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("input[value=klarna]")
        picture(world, browser, "methods")
        choose(browser, "klarna")
        to_provider(browser)
        assert double.asked[0]["method"] == {"type": "klarna"} and double.asked[0]["attempts"] == 0, double.asked
        # Back without having finished: there is a button, and nobody is led away a second time.
        browser.visit(f"{double.url}/pay/{CODE}?token=EC-1&PayerID=X")
        browser.wait_for("#redirect")
        picture(world, browser, "redirect")
        assert browser.run("location.search") == ""
        assert browser.run("document.querySelector('#redirect').href") == f"{double.url}/provider?attempt=1"
        double.settle("succeeded")
        browser.wait_for("#success")
        picture(world, browser, "redirect-success")
        browser.reload()
        browser.wait_for("#success")
        assert browser.text("#summary .label") == "Amount", "what is paid is asked for"
        # Another visit learns only that it is paid.
        assert double.payment
        double.payment["method"] = None
        browser.reload()
        browser.wait_for_text("already been paid")
        assert browser.text("#summary .label") == "Amount", "what is paid is asked for"
        assert not browser.complaints(), browser.complaints()
    assert len(double.asked) == 1


def turned_back(world: World) -> None:
    with serving() as double:
        with Browser("en-GB") as browser:
            browser.visit(f"{double.url}/pay/{CODE}")
            choose(browser, "paypal")
            to_provider(browser)
        # Another browser leads nobody away: there is the way, and the way to pay otherwise.
        with Browser("en-GB", 390, 844, 2) as browser:
            browser.visit(f"{double.url}/pay/{CODE}")
            browser.wait_for("#redirect")
            picture(world, browser, "phone-turned-back")
            # The service lets nobody in for a while, and says so; then it does.
            double.failing, double.failure = {"cancel": 1}, 429
            browser.click("#other-way")
            browser.wait_for_text("too many attempts")
            eventually(lambda: browser.run("document.querySelector('#other-way').disabled"), lambda shut: not shut, 20, "it cannot be tried again")
            assert double.payment
            assert double.payment["status"] == "requires_action"
            browser.click("#other-way")
            browser.wait_for("input[value=klarna]")
            assert double.payment["status"] == "canceled" and double.answered["provider"] == 1, double.answered
            choose(browser, "klarna")
            to_provider(browser)
        assert [body["method"]["type"] for body in double.asked] == ["paypal", "klarna"], double.asked


def in_another_browser(world: World) -> None:
    payment = "pay_01jd9y4w3hf3zt0v8c2m5k7q9r"
    with serving() as double, Browser("en-GB") as browser:
        double.pay({"method": {"type": "klarna"}})
        double.settle("processing")
        browser.visit(f"{double.url}/pay/{CODE}?payment_id={payment}&redirect_status=succeeded")
        browser.wait_for_text("under way")
        assert browser.run("location.search") == ""
        browser.reload()
        browser.wait_for_text("under way")
        asked = [request["url"] for request in browser.requests() if "/status?" in request["url"]]
        assert len(asked) > 1 and all(url.endswith(f"&payment_id={payment}") for url in asked), asked
        # What is no payment's id is passed over.
        browser.visit(f"{double.url}/pay/{CODE}?payment_id=x%26y")
        double.settle("succeeded")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()


def sent_back(world: World) -> None:
    with serving() as double, Browser("en-GB", 390, 844, 2) as browser:
        browser.visit(f"{double.url}/pay/{CODE}")
        choose(browser, "paypal")
        to_provider(browser)
        double.settle("failed", {"code": "declined", "decline_class": "soft"})
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for(".alert")
        picture(world, browser, "phone-redirect-declined")
        choose(browser, "klarna")
        to_provider(browser)
        assert [body["attempts"] for body in double.asked] == [0, 1], double.asked
        double.settle("processing")
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("under way")
        double.settle("succeeded")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()


def transferred(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        browser.visit(f"{double.url}/pay/{CODE}")
        choose(browser, "bitcoin")
        browser.wait_for_text("0.001554 BTC")
        shown = "document.querySelector('img.qr')?.naturalWidth > 0"
        eventually(lambda: browser.run(shown), bool, 20, "the QR image is not shown")
        picture(world, browser, "transfer")
        browser.prefer(prefers_color_scheme="dark")
        browser.resize(390, 844)
        picture(world, browser, "phone-transfer-dark")
        browser.reload()
        browser.wait_for_text("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
        assert double.payment
        assert "sent nothing" in browser.text("#other-way")
        before = browser.run("document.querySelector('img.qr').src")
        double.payment["next_action"] = double.transfer("0.000054")
        browser.wait_for_text("0.000054 BTC")
        assert browser.run("document.querySelector('img.qr').src") != before, "a picture of the first amount may be kept"
        double.payment["next_action"] = double.transfer("0")
        browser.wait_for_text("send nothing more")
        picture(world, browser, "phone-transfer-on-its-way")
        assert browser.run("document.querySelector('#work :is(img, a, button)')") is None
        double.settle("succeeded")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()


PAYER = ["name", "email", "country", "line1", "city", "postal_code"]


def told_who(world: World) -> None:
    with serving() as double, Browser("en-GB", 390, 844, 2) as browser:
        double.link = {
            "methods": ["afterpay_clearpay", "klarna"], "country": "US", "currency": "USD",
            "forms": {"afterpay_clearpay": {"fields": PAYER, "countries": ["AU", "CA", "GB", "NZ", "US"]}},
        }  # fmt: skip
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#line1")
        assert browser.run("document.querySelector('#country').value") == "US"
        assert not browser.run(NAMELESS), browser.run(NAMELESS)
        browser.fill("#email", "ada@example")
        browser.click("#form button[type=submit]")
        for name in ("name", "email", "line1", "postal_code", "city"):
            box = f"document.querySelector('#{name}')"
            assert browser.run(f"{box}.getAttribute('aria-invalid')") == "true", name
            assert f"{name}-fault" in browser.run(f"{box}.getAttribute('aria-describedby')").split()
            assert browser.text(f"#{name}-fault"), name
        assert browser.run("document.activeElement.id") == "name"
        for scheme in ("light", "dark"):
            browser.prefer(prefers_color_scheme=scheme)
            assert not browser.run(FAINT), f"{scheme}: {browser.run(FAINT)}"
            picture(world, browser, f"phone-payer-faults-{scheme}")
        given = {"name": "Ada Example", "email": ".org", "line1": "1 Main St", "postal_code": "89501", "city": "Reno"}
        for name, text in given.items():
            browser.fill(f"#{name}", text)
        assert browser.run("document.querySelectorAll('[aria-invalid]').length") == 0
        # What only the service finds stands at its field, too.
        double.refusal = {"code": "invalid_request", "errors": [{"param": "method.payer.email", "code": "invalid_email"}]}
        browser.click("#form button[type=submit]")
        eventually(lambda: browser.text("#email-fault"), bool, 20, "the service's fault is not shown")
        double.refusal = None
        browser.click("#form button[type=submit]")
        to_provider(browser)
        payer = given | {"email": "ada@example.org", "country": "US"}
        assert double.asked[-1]["method"] == {"type": "afterpay_clearpay", "payer": payer}, double.asked
        assert not unexpected(browser), unexpected(browser)


def debited(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        creditor = {"name": "Nordlicht Audio GmbH", "identifier": "DE98ZZZ09999999999"}
        double.link = {"methods": ["sepa_debit", "klarna"], "creditor": creditor}
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#iban")
        mandate = browser.text("#mandate")
        assert all(text in mandate for text in creditor.values()), mandate
        assert not browser.run(NAMELESS), browser.run(NAMELESS)
        for typed, fault in (("DE89370400440532013001", "not an IBAN"), ("BR1500000000000010932840814P2", "this country")):
            browser.run("document.querySelector('#iban').value = ''")
            browser.fill("#iban", typed)
            browser.click("#form button[type=submit]")
            assert fault in browser.text("#iban-fault"), browser.text("#iban-fault")
        for name in ("name", "iban", "email", "accept"):
            box = f"document.querySelector('#{name}')"
            assert browser.run(f"{box}.getAttribute('aria-invalid')") == "true", name
            assert f"{name}-fault" in browser.run(f"{box}.getAttribute('aria-describedby')").split()
            assert browser.text(f"#{name}-fault"), name
        for scheme in ("light", "dark"):
            browser.prefer(prefers_color_scheme=scheme)
            assert not browser.run(FAINT), f"{scheme}: {browser.run(FAINT)}"
            picture(world, browser, f"debit-faults-{scheme}")
        browser.run("document.querySelector('#iban').value = ''")
        browser.fill("#name", "Ada Example")
        # As an Arabic keyboard has its digits, and a Japanese one its letters.
        browser.fill("#iban", "ｄｅ٨٩۳۷0400440532013000")
        assert browser.run("document.querySelector('#iban').value") == "DE89 3704 0044 0532 0130 00"
        browser.fill("#email", "ada@example.com")
        browser.click("#accept")
        assert browser.run("[...document.querySelectorAll('[aria-invalid]')].map((e) => e.id)") == []
        browser.click("#form button[type=submit]")
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        assert double.kept[0]["bank_account"] == {"iban": "DE89370400440532013000", "name": "Ada Example", "email": "ada@example.com"}
        assert double.kept[0]["mandate"] == {"accepted": True, "language": "en"}, double.kept
        assert double.payment
        double.payment["method"] = "sepa_debit"
        browser.reload()
        browser.wait_for_text("takes up to a week")
        double.payment["card_last4"] = "3000"
        double.settle("succeeded")
        browser.wait_for("#success")
        assert "•••• 3000" in browser.text("#success")
        picture(world, browser, "debit-success")
        assert not browser.complaints(), browser.complaints()


def kept_slowly(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.link = {"methods": ["sepa_debit"], "creditor": {"name": "Nordlicht Audio GmbH", "identifier": "DE98ZZZ09999999999"}}
        double.keeping, double.pending = (202, double.keeping[1]), 3
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#iban")
        for name, text in (("name", "Ada Example"), ("iban", "DE89370400440532013000"), ("email", "ada@example.com")):
            browser.fill(f"#{name}", text)
        browser.click("#accept")
        browser.click("#form button[type=submit]")
        browser.wait_for_text("under way")
        assert not browser.run("!!document.querySelector('#iban')"), "the account is asked for again"
        eventually(lambda: double.asked, bool, 20, "nothing is paid")
        assert len(double.kept) == 1 and len(double.asked) == 1, double.kept
        double.settle("succeeded")
        browser.wait_for("#success")


def sent_back_by_a_bank(world: World) -> None:
    with serving() as double:
        for language, direction, words in (
            ("en-GB", "ltr", "Thank you. The shop is told how the payment went."),
            ("de-DE", "ltr", "Der Shop erfährt, wie die Zahlung ausgegangen ist."),
            ("ar-EG", "rtl", "يتم إبلاغ المتجر بنتيجة الدفع."),
        ):
            with Browser(language) as browser:
                browser.visit(f"{double.url}/pay/return/closed?payment_intent=pi_1&redirect_status=succeeded")
                browser.wait_for_text(words)
                assert browser.run("document.documentElement.dir") == direction
                assert browser.run("document.querySelector('#return')") is None
                assert not browser.complaints(), browser.complaints()
        with Browser("en-GB") as browser:
            browser.visit(f"{double.url}/pay/return/shop")
            to_provider(browser)
            assert browser.run("location.search") == "?cart=7&payment_id=pay_01jd9y4w3hf3zt0v8c2m5k7q9r"
    assert not double.asked, "the page asks for nothing"


CASES: list[Case] = [
    ("a bank account that its provider is still about is waited for, and not asked for again", kept_slowly),
    ("a bank account is checked at its field, and debited only after its holder agreed to the mandate", debited),
    ("a lender's form names what is missing at its field, and hands over who pays", told_who),
    ("a customer is led to a provider's page once, and comes back to a receipt", led_away),
    ("who turns back there pays in another way, and nobody else is led away", turned_back),
    ("who comes back in another browser sees the payment they came from", in_another_browser),
    ("a refusal there leads back to the choice, and a bank that takes its time is waited for", sent_back),
    ("a customer whom a bank sends back reads that it is over, or is back at the shop", sent_back_by_a_bank),
    ("a transfer is shown with its QR image, and what is missing, until it has arrived", transferred),
]
