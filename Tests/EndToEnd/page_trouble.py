"""The hosted payment page where something is missing: storage, texts, the service's answers, or a brand's contrast."""

from __future__ import annotations

import time

from .browser import Browser
from .harness import Case, World, eventually
from .page_double import CODE, picture, serving
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
    ("who pays too often is told so at once, and nothing is repeated by itself", too_often),
    ("a payment that somebody is to look at is neither paid nor to be paid anew", checked),
    ("a link whose places others have taken says so, and offers to pay once one is free", full),
    ("a payment that no provider has heard of can be given up for another way", unsent),
    ("a customer who cannot be authenticated is told, and nobody asks for ever", authentication),
    ("whatever the brand's panel, the focus can be seen on it", rings),
]
