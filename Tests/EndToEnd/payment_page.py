"""The hosted payment page in a real browser: paying, refusals, languages, states, and what may leave the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.demo.client import JSON

from .browser import Browser
from .harness import Case, World, eventually

GOOD = "4242424242424242"
POOR = "4000000000009995"
CAUTIOUS = "4000002500003155"
# What a Japanese keyboard types in the place of what is printed on its keys.
FULL_WIDTH = {point: point + 0xFEE0 for point in range(0x21, 0x7F)}
BRAND = {"name": "Nordlicht Audio", "accent_color": "#0a7d55", "background_color": "#eef3ee"}
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "ja", "zh", "ar")
PAY = "#form button[type=submit]"
# Every visible text whose contrast with what is behind it is less than WCAG AA asks.
FAINT = """
(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !e.checkVisibility() || e.closest(".unseen, noscript, option, script")) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${text.slice(0, 40)} ${ratio.toFixed(2)}`);
  }
  return faint;
})()
"""
# Every control without a name a screen reader could say.
NAMELESS = """
[...document.querySelectorAll("input, select, button, a[href]")]
  .filter((e) => e.checkVisibility() && !(e.labels?.length || e.innerText?.trim() || e.getAttribute("aria-label")))
  .map((e) => e.outerHTML.slice(0, 80))
"""


def new_link(world: World, **more: Any) -> JSON:
    customer = world.client.post("/v1/customers", {"email": "page@example.com", "name": "Page", "country": "DE"})["id"]
    body = {"amount": 12900, "currency": "EUR", "customer_id": customer, "description": "Kopfhörer Nord 2", "brand": BRAND}
    return eventually(
        lambda: world.client.settled("POST", "/v1/payment_links", body | more),
        lambda answer: answer.status == 201,
        30,
        "the link is not made",
    ).body


def picture(world: World, browser: Browser, name: str) -> None:
    browser.picture(world.stack.directory / "pictures" / f"{name}.png")


def give_card(browser: Browser, number: str) -> None:
    browser.fill("#number", number)
    browser.fill("#expiry", "0449")
    browser.fill("#cvc", "123")


def payments(world: World, link: JSON) -> list[JSON]:
    ids = world.client.get(f"/v1/payment_links/{link['id']}")["payment_ids"]
    return [world.client.get(f"/v1/payments/{ident}") for ident in ids]


def paid_once(world: World, link: JSON, attempts: int = 1) -> None:
    found = payments(world, link)
    assert [(p["status"], p["amount"], p["attempts"]) for p in found] == [("succeeded", link["amount"], attempts)], found
    assert world.client.get(f"/v1/payment_links/{link['id']}")["status"] == "completed"


def by_keyboard(world: World) -> None:
    link = new_link(world, success_url="https://shop.example/thanks", cancel_url="https://shop.example/cart")
    with Browser("en-GB") as browser:
        browser.visit(link["url"])
        browser.wait_for("#number")
        picture(world, browser, "en")
        for field in ("number", "expiry", "cvc"):
            for _ in range(6):
                if browser.run("document.activeElement.id") == field:
                    break
                browser.press("Tab", 9)
            assert browser.run("document.activeElement.id") == field, f"Tab does not lead to {field}"
            browser.type({"number": GOOD, "expiry": "0449", "cvc": "123"}[field])
        assert browser.run("document.querySelector('#number').value") == "4242 4242 4242 4242"
        browser.press("Enter", 13)
        browser.wait_for("#success")
        picture(world, browser, "en-success")
        assert browser.run("document.querySelector('#return').href") == "https://shop.example/thanks"
        assert "€129.00" in browser.text("#success") and "Visa ending in 4242" in browser.text("#success")
        browser.reload()
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()
        origin = world.stack.gateway_url
        for request in browser.requests():
            assert request["url"].startswith(origin), f"the page asked {request['url']}"
            if GOOD in request.get("postData", ""):
                assert request["url"].endswith("/card"), f"the card number went to {request['url']}"
        assert browser.run("document.cookie") == ""
        assert browser.run("localStorage.length") == 0
    paid_once(world, link)


def refused(world: World) -> None:
    link = new_link(world)
    with Browser("en-GB", 390, 844, 2) as browser:
        browser.visit(link["url"])
        give_card(browser, POOR)
        browser.click(PAY)
        browser.wait_for(".alert")
        assert "not enough money" in browser.text(".alert")
        assert browser.run("document.activeElement.closest('.alert') !== null"), "the refusal has not the focus"
        picture(world, browser, "phone-declined")
        give_card(browser, GOOD)
        browser.run(f"(() => {{ const b = document.querySelector('{PAY}'); b.click(); b.click(); b.click(); }})()")
        browser.wait_for("#success")
        picture(world, browser, "phone-success")
        assert not browser.complaints(), browser.complaints()
    # A card without money is asked for at each of the sandbox's three acquirers.
    paid_once(world, link, attempts=4)


def challenged(world: World) -> None:
    link = new_link(world)
    with Browser("en-GB") as browser:
        browser.visit(link["url"])
        give_card(browser, CAUTIOUS)
        browser.click(PAY)
        browser.wait_for("#challenge")
        browser.reload()
        browser.wait_for("#challenge")
        picture(world, browser, "en-challenge")
        browser.click("#challenge-fail")
        browser.wait_for(".alert")
        give_card(browser, CAUTIOUS)
        browser.click(PAY)
        browser.click("#challenge-pass")
        browser.wait_for("#success")
    paid_once(world, link, attempts=3)


def with_a_lender(world: World) -> None:
    link = new_link(world)

    def leave(browser: Browser) -> None:
        browser.click("input[value=klarna]")
        browser.click("#form button[type=button]:not(.wallet)")
        browser.wait_for("#authorize")

    with Browser("en-GB") as browser:
        browser.visit(link["url"])
        leave(browser)
        picture(world, browser, "sandbox-lender")
        assert "€129.00" in browser.text("#summary") and "Klarna" in browser.text("#work")
        assert not browser.run(FAINT), browser.run(FAINT)
        assert not browser.run(NAMELESS), browser.run(NAMELESS)
        browser.click("#fail")
        browser.wait_for(".alert")
        leave(browser)
        browser.click("#authorize")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()
    paid_once(world, link, attempts=2)


def faults(world: World) -> None:
    link = new_link(world)
    with Browser("en-GB") as browser:
        browser.visit(link["url"])
        browser.fill("#number", "4242424242424241")
        browser.click(PAY)
        for field in ("number", "expiry", "cvc"):
            box = f"document.querySelector('#{field}')"
            assert browser.run(f"{box}.getAttribute('aria-invalid')") == "true", field
            assert f"{field}-fault" in browser.run(f"{box}.getAttribute('aria-describedby')").split()
            assert browser.text(f"#{field}-fault"), field
        assert browser.run("document.activeElement.id") == "number"
        picture(world, browser, "en-faults")
        browser.press("End", 35)
        browser.press("Backspace", 8)
        browser.type("2")
        assert browser.run("document.querySelector('#number').getAttribute('aria-invalid')") is None
    assert payments(world, link) == []


def languages(world: World) -> None:
    link = new_link(world, max_uses=0, cancel_url="https://shop.example/cart", keep_method="offered")
    keys = json.loads((Path(__file__).parents[2] / "Services/Payment/Links/Page/text/en.json").read_text()).keys()
    for language in LANGUAGES:
        with Browser(language) as browser:
            for scheme in ("light", "dark"):
                browser.prefer(prefers_color_scheme=scheme)
                browser.visit(link["url"])
                browser.wait_for("#number")
                assert not browser.run(FAINT), f"{language} {scheme}: {browser.run(FAINT)}"
            picture(world, browser, f"{language}-dark")
            assert browser.run("document.documentElement.lang") == language
            assert browser.run("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
            assert not [key for key in keys if "_" in key and key in browser.text()], browser.text()
            assert not browser.run(NAMELESS), browser.run(NAMELESS)
            for width in (320, 768, 1180):
                browser.resize(width, 800)
                wide = browser.run("document.documentElement.scrollWidth")
                assert wide <= width, f"{language} is {wide} wide on {width}"
            assert not browser.complaints(), browser.complaints()


def states(world: World) -> None:
    off = new_link(world)
    world.client.post(f"/v1/payment_links/{off['id']}/deactivate", {})
    with Browser("en-GB") as browser:
        browser.visit(off["url"])
        browser.wait_for_text("switched off")
        picture(world, browser, "en-deactivated")
        browser.visit(f"{world.stack.gateway_url}/pay/22222222")
        browser.wait_for_text("cannot find")
        link = new_link(world)
        browser.visit(f"{world.stack.gateway_url}/pay")
        browser.fill("#code", "nonsense")
        browser.click("#work button")
        assert browser.text("#code-fault")
        picture(world, browser, "en-code")
        browser.run("document.querySelector('#code').value = ''")
        browser.fill("#code", link["code"].lower())
        browser.press("Enter", 13)
        browser.wait_for("#number")
        assert browser.run("location.pathname") == f"/pay/{link['code'].replace('-', '')}"
        browser.visit(f"{world.stack.gateway_url}/pay")
        browser.fill("#code", link["code"].translate(FULL_WIDTH))
        browser.press("Enter", 13)
        browser.wait_for("#number")


def secrecy(world: World) -> None:
    for log in world.stack.logs.rglob("*.log"):
        text = log.read_text(errors="replace")
        for number in (GOOD, POOR, CAUTIOUS):
            assert number not in text, f"{number} is in {log}"
    world.assert_consistent(60)


def coins_with_a_rate(world: World) -> None:
    link = new_link(world, methods=["card", "crypto"])
    with Browser("en-GB") as browser:
        browser.visit(link["url"])
        browser.wait_for("#number")
        assert not browser.run("!!document.querySelector('input[value=bitcoin]')"), "a coin that has no price is offered"
        world.client.post("/v1/crypto/rates", {"asset": "bitcoin", "currency": "EUR", "rate": "60000"})
        browser.reload()
        browser.wait_for("input[value=bitcoin]")
        assert not browser.run("!!document.querySelector('input[value=ethereum]')"), "another coin's rate counts"


CASES: list[Case] = [
    ("a customer pays by keyboard alone, and nothing leaves for elsewhere", by_keyboard),
    ("a refusal says why, another card pays, and pressing three times charges once", refused),
    ("a 3-D Secure challenge is answered on the page", challenged),
    ("a lender's page of the sandbox fails a payment, then authorizes it, and leads back each time", with_a_lender),
    ("faults stand at their fields and are read out", faults),
    ("twelve languages, light and dark, wide and narrow, are complete and can be read", languages),
    ("a link that cannot be paid says so, and a code leads to its link", states),
    ("coins are offered once their rate is known", coins_with_a_rate),
    ("card numbers are in no log, and the books agree", secrecy),
]
