"""The hosted payment page where something is missing: storage, texts, the service's answers, or a brand's contrast."""

from __future__ import annotations

import time

from .browser import Browser
from .harness import Case, World, eventually
from .page_double import CODE, POLICY, picture, serving, speak
from .page_elsewhere import choose, to_provider

NO_STORAGE = "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('off', 'SecurityError'); } });"
# The contrast of what has the focus: its ring and what is behind it.
RING = """
(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { for (e = e.parentElement; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const e = document.activeElement;
  const [a, b] = [light(rgb(getComputedStyle(e).outlineColor)), light(behind(e))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
})()
"""
# A brand whose panel is as dark as its accent.
DARK = ":root { --surface: #fff; --ink: #111; --accent: #1f5fbf; --on-accent: #fff; --accent-text: #1f5fbf; --panel: #1f5fbf; --on-panel: #fff; }"


def without_storage(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        browser.before_pages(NO_STORAGE)
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("input[value=klarna]")
        choose(browser, "klarna")
        to_provider(browser)
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#redirect")
        time.sleep(1)
        assert browser.run("location.pathname") == f"/pay/{CODE}", "whoever is back is led away again"
        browser.click("#redirect")
        to_provider(browser)
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("#redirect")
        double.settle("succeeded")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()


def without_texts(world: World) -> None:
    with serving() as double, Browser("de-DE") as browser:
        double.failing = {"de.json": 2}
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("Wie möchten Sie bezahlen?")
        double.failing = {"de.json": 1_000}
        browser.reload()
        browser.wait_for_text("How would you like to pay?")
        assert browser.run("document.documentElement.lang") == "en"
        # What is spoken stays where another language's texts cannot be had.
        double.failing = {"fr.json": 1_000}
        browser.reload()
        browser.wait_for_text("Wie möchten Sie bezahlen?")
        browser.run("(() => { const l = document.querySelector('#language'); l.value = 'fr'; l.dispatchEvent(new Event('change')); })()")
        eventually(lambda: browser.run("document.querySelector('#language').value"), lambda l: l == "de", 20, "French is shown")
        assert "Wie möchten Sie bezahlen?" in browser.text()
        double.failing = {"de.json": 1_000, "en.json": 1_000}
        browser.reload()
        browser.wait_for("#stuck")
        picture(world, browser, "stuck")
        double.failing = {}
        browser.click("#stuck button")
        browser.wait_for_text("Wie möchten Sie bezahlen?")


def without_answers(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.failing = {"status": 3}
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("No connection")
        browser.wait_for("input[value=klarna]")
        double.failing = {"status": 1_000}
        double.failure = 404
        browser.reload()
        browser.wait_for_text("cannot find this payment")
        double.failure = 422
        browser.reload()
        browser.wait_for("#stuck")
        double.failing = {}
        browser.click("#stuck button")
        browser.wait_for("input[value=klarna]")


def says(browser: Browser, text: str) -> None:
    """Waits for what the page says of the payment under way, beside its title."""
    eventually(lambda: browser.text("#wait-note").startswith(text), bool, 20, f"the page does not say “{text}”")


def back_again(world: World) -> None:
    """Who is told of trouble is told that it is over."""
    with serving() as double, Browser("en-GB") as browser:
        double.pay({"payment_method_id": "pm_01jd9y4w3hf3zt0v8c2m5k7q9r"})
        browser.visit(f"{double.url}/pay/{CODE}")
        usual = "This takes a few seconds. Please leave this page open."
        says(browser, usual)
        for failure, text in ((503, "No connection."), (429, "There are too many requests")):
            double.failure = failure
            double.failing = {"status": 2}
            says(browser, text)
            says(browser, usual)
            assert browser.run("document.getElementById('news').textContent") == usual
        double.settle("succeeded")
        browser.wait_for("#success")


def without_a_script(world: World) -> None:
    """Where one file of the page does not come, none of its scripts runs."""
    seen = "[...document.querySelectorAll('#loading a')].some((a) => getComputedStyle(a).visibility === 'visible')"
    with serving() as double, Browser("en-GB") as browser:
        for path, script, text in (
            (f"/pay/{CODE}", "later.js", "How would you like to pay?"),
            (f"/pay/authentication/{CODE}", "text.js", "The payment is confirmed"),
        ):
            double.failing = {script: 1}
            browser.visit(f"{double.url}{path}")
            eventually(lambda: browser.run(seen), bool, 20, "there is no way to try again")
            picture(world, browser, f"without-{script.removesuffix('.js')}")
            browser.click("#loading a")
            browser.wait_for_text(text)
            assert not browser.run("!!document.querySelector('#loading')")


def in_other_words(world: World) -> None:
    """What is said above the form is said in the language that is chosen; the title says what the page is about."""
    with serving() as double, Browser("en-GB") as browser:
        double.link = {"merchant": None, "methods": ["klarna", "bitcoin"]}
        double.pay({"method": {"type": "klarna"}})
        double.settle("failed", {"code": "generic_decline", "decline_class": "soft"})
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for(".alert")
        assert "did not go through" in browser.text(".alert") and browser.run("document.title") == "Pay €129.00"
        speak(browser, "de")
        browser.wait_for_text("Wie möchten Sie bezahlen?")
        assert "Die Zahlung hat nicht geklappt" in browser.text(".alert"), browser.text(".alert")
        assert "did not go through" not in browser.text(), browser.text()
        assert browser.run("document.title").endswith("bezahlen")
        # A refusal that the service gives of what is pressed.
        double.failing, double.failure = {"pay": 1}, 429
        choose(browser, "klarna")
        browser.wait_for_text("Es gab zu viele Versuche.")
        speak(browser, "en")
        browser.wait_for_text("There were too many attempts.")
        assert "Es gab zu viele Versuche." not in browser.text(), browser.text()


def too_often(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.failing, double.failure = {"pay": 1}, 429
        browser.visit(f"{double.url}/pay/{CODE}")
        choose(browser, "klarna")
        browser.wait_for(".alert")
        assert "too many attempts" in browser.text(".alert"), browser.text(".alert")
        time.sleep(2)
        assert double.answered["pay"] == 1 and not double.asked, "it is asked again by itself"
        choose(browser, "klarna")
        to_provider(browser)


def checked(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.pay({"payment_method_id": "pm_01jd9y4w3hf3zt0v8c2m5k7q9r"})
        assert double.payment
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("under way")
        double.payment["held"] = True
        browser.wait_for_text("is being checked")
        picture(world, browser, "held")
        assert not browser.run("!!document.querySelector('#success, form')")
        double.settle("canceled")
        browser.wait_for("input[value=klarna]")
        assert not browser.complaints(), browser.complaints()


def full(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.reserved = True
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("taken by a payment under way")
        picture(world, browser, "reserved")
        assert not browser.run("!!document.querySelector('form, input')")
        double.reserved = False
        browser.wait_for("input[value=klarna]")
        # The last place is taken while the form is filled in.
        double.reserved, double.refusal = True, {"code": "payment_link_reserved", "status": 409}
        choose(browser, "klarna")
        browser.wait_for_text("taken by a payment under way")
        # Any other refusal of a link that can be paid is told above the form.
        double.reserved, double.refusal = False, {"code": "payment_link_state", "status": 409}
        browser.wait_for("input[value=klarna]")
        choose(browser, "klarna")
        browser.wait_for(".alert")
        assert "We could not finish this" in browser.text(".alert"), browser.text(".alert")


def unsent(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.pay({"payment_method_id": "pm_01jd9y4w3hf3zt0v8c2m5k7q9r"})
        assert double.payment
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("under way")
        assert not browser.run("!!document.querySelector('#other-way')")
        double.payment["cancelable"] = True
        browser.wait_for("#other-way")
        picture(world, browser, "unsent")
        browser.click("#other-way")
        browser.wait_for("input[value=klarna]")
        assert double.payment["status"] == "canceled", double.payment
        assert not browser.complaints(), browser.complaints()


def authentication(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.failing, double.failure = {"step": 2}, 409
        browser.visit(f"{double.url}/pay/authentication/{CODE}")
        browser.wait_for_text("The payment is confirmed")
        for failure, text in ((404, "Nothing here"), (422, "The payment was not confirmed")):
            double.failing, double.failure = {"step": 1_000}, failure
            browser.reload()
            browser.wait_for_text(text)
            asked = double.answered["step"]
            time.sleep(2)
            assert double.answered["step"] == asked, "what is refused for good is not asked again"
        double.failing, double.failure = {"authenticate-text.json": 1_000}, 503
        browser.reload()
        browser.wait_for("#stuck")


def framed(world: World) -> None:
    """The issuer's page is as wide as it was made for where there is room; ours never scrolls sideways."""
    with serving() as double, Browser("en-GB") as browser:
        double.policy = f"{POLICY}; frame-src 'self'"
        double.step = {"step": "challenge", "form": {"address": f"{double.url}/provider", "fields": []}}
        browser.visit(f"{double.url}/pay/authentication/{CODE}")
        browser.wait_for(".bank")
        for width in (320, 560, 571, 607, 608, 768, 959, 960, 1024, 1047, 1087, 1088, 1180):
            browser.resize(width, 900)
            wide = browser.run("document.documentElement.scrollWidth")
            assert wide <= width, f"the page is {wide} wide on {width}"
            frame = browser.run("document.querySelector('.bank').getBoundingClientRect().width")
            assert frame >= 500 or not (608 <= width < 960 or width >= 1088), f"the frame is {frame} wide on {width}"
            if width in (571, 1024):
                picture(world, browser, f"bank-{width}")


def rings(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.brand = DARK
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("input[value=klarna]")
        for _ in range(12):
            browser.press("Tab", 9)
            name = browser.run("document.activeElement.id || document.activeElement.tagName")
            assert browser.run(RING) >= 3, f"{name}: {browser.run(RING):.2f}"
            if name == "cancel":
                picture(world, browser, "ring-on-panel")
                break
        else:
            raise AssertionError("Tab does not lead to the way back")


CASES: list[Case] = [
    ("without storage a customer is led to a provider's page once, and finds the way as a button when back", without_storage),
    ("texts that cannot be had are asked for again, then the page speaks English, or says that it is stuck", without_texts),
    ("a service that does not answer is waited for, one that refuses is not", without_answers),
    ("a page that was told of no connection says what it said before once there is one again", back_again),
    ("where a script of the page does not come there is a way to try again", without_a_script),
    ("another language is spoken above the form, too; without a merchant the title names the amount", in_other_words),
    ("who pays too often is told so at once, and nothing is repeated by itself", too_often),
    ("a payment that somebody is to look at is neither paid nor to be paid anew", checked),
    ("a link whose places others have taken says so, and offers to pay once one is free", full),
    ("a payment that no provider has heard of can be given up for another way", unsent),
    ("a customer who cannot be authenticated is told, and nobody asks for ever", authentication),
    ("the issuer's page fits into ours at any width", framed),
    ("whatever the brand's panel, the focus can be seen on it", rings),
]
