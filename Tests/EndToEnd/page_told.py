"""What the hosted payment page tells of a payment and of itself: true of whatever is paid with, and whoever visits."""

from __future__ import annotations

import json
import re
from typing import Any

from deploy.local.layout import ROOT

from .browser import Browser
from .harness import Case, World
from .page_double import CODE, picture, serving
from .page_elsewhere import choose, to_provider

TABLE = ROOT / "Services/Payment/Domain/Declines/DeclineTable.swift"
# Declines that only a card has: their texts name it also to a visit that is not told what was paid with.
OF_CARDS = {
    "expired_card", "incorrect_cvc", "incorrect_expiry", "pin_required", "card_not_activated", "blocked_by_cardholder",
    "call_issuer", "pin_try_exceeded",
}  # fmt: skip
# What is said of a card's.
SAID = {
    ("incorrect_cvc", "action"): "security code", ("incorrect_expiry", "action"): "expiry date",
    ("card_not_activated", "action"): "ask your bank", ("do_not_honor", "soft"): "Your bank declined",
    ("processing_error", "soft"): "you have not been charged", ("lost_card", "hard"): "This card cannot be used",
}  # fmt: skip
METHODS = (None, "sepa_debit", "klarna", "paypal", "bitcoin")


def declines() -> list[tuple[str, str]]:
    """Every decline that a page is told of, with its class; a suspicion of fraud is told as another."""
    found: list[tuple[str, str]] = re.findall(r'DeclineReason\(\s*"(\w+)", \.(\w+),', TABLE.read_text())
    return [(code, kind) for code, kind in found if kind != "fraud"] + [("unknown", "soft")]


def texts_of(browser: Browser, failures: list[dict[str, Any]]) -> list[str]:
    """What the page says of failures."""
    said = f"import('/pay/assets/v/views.js').then((views) => {json.dumps(failures)}.map(views.failureText))"
    return [str(text) for text in browser.run(said)]


def failed(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for("input[value=klarna]")
        rows: list[dict[str, Any]] = [
            {"code": code, "decline_class": kind, "method": method} for code, kind in declines() for method in METHODS
        ]
        assert len(rows) > 40 * len(METHODS), len(rows)
        for row, text in zip(rows, texts_of(browser, rows), strict=True):
            assert text and "failed_" not in text, row
            if row["method"] or row["code"] not in OF_CARDS:
                assert "card" not in text.lower() and "bank" not in text.lower(), (row, text)
        for (code, kind), words in SAID.items():
            text = texts_of(browser, [{"code": code, "decline_class": kind, "method": "card"}])[0]
            assert words in text, (code, text)
        assert not browser.complaints(), browser.complaints()


def too_little(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        browser.visit(f"{double.url}/pay/{CODE}")
        choose(browser, "bitcoin")
        browser.wait_for_text("0.001554 BTC")
        assert double.payment
        double.payment |= {"coins_received": True, "next_action": double.transfer("0.000054")}
        browser.wait_for_text("send the rest")
        assert "sent nothing" not in browser.text(), browser.text()
        double.settle("failed", {"code": "underpaid", "decline_class": "action"})
        browser.wait_for(".alert")
        assert "do not send it again" in browser.text(".alert"), browser.text(".alert")
        picture(world, browser, "underpaid")
        # So it is where the link is over by then.
        double.status = "expired"
        browser.reload()
        browser.wait_for_text("has expired")
        assert "do not send it again" in browser.text("#work"), browser.text()
        double.status = "active"
        # Who gives it up is told the same, though nobody has refused anything; so is who was refused otherwise since.
        double.settle("canceled")
        browser.reload()
        browser.wait_for(".alert")
        assert "do not send it again" in browser.text(".alert"), browser.text(".alert")
        double.settle("failed", {"code": "generic_decline", "decline_class": "soft"})
        browser.reload()
        browser.wait_for(".alert")
        assert "was declined" in browser.text(".alert") and "do not send it again" in browser.text(".alert")
        # It has gone back.
        double.payment["coins_received"] = False
        double.settle("failed", {"code": "underpaid", "decline_class": "action"})
        browser.reload()
        browser.wait_for(".alert")
        assert "do not send it again" not in browser.text(), browser.text()
        double.settle("canceled")
        browser.reload()
        browser.wait_for("input[value=klarna]")
        assert not browser.run("!!document.querySelector('.alert')"), browser.text()
        assert not browser.complaints(), browser.complaints()


def slowly(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.pay({"payment_method_id": "pm_01jd9y4w3hf3zt0v8c2m5k7q9r"})
        assert double.payment
        # Another visit's, or nobody's: the page is not told what with.
        double.payment["method"] = None
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("takes a few seconds")
        double.payment["slow"] = True
        browser.wait_for_text("up to a week")
        assert "leave this page open" not in browser.text() and "bank" not in browser.text("#wait-note"), browser.text()
        picture(world, browser, "slow")
        double.settle("succeeded")
        browser.wait_for_text("already been paid")
        assert not browser.complaints(), browser.complaints()


def withdrawn(world: World) -> None:
    with serving() as double, Browser("en-GB") as browser:
        double.status, double.withdrawn = "deactivated", True
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.wait_for_text("invoice has been withdrawn")
        assert "goes back" in browser.text("#work") and "new one" not in browser.text("#work"), browser.text()
        assert "Amount to pay" not in browser.text(), browser.text()
        picture(world, browser, "withdrawn")
        double.withdrawn = False
        browser.reload()
        browser.wait_for_text("switched off")
        assert not browser.complaints(), browser.complaints()


def promised(world: World) -> None:
    creditor = {"name": "Nordlicht Audio GmbH", "identifier": "DE98ZZZ09999999999"}
    klarna = {"klarna": {"fields": ["email"], "countries": None}}
    cases: list[tuple[dict[str, Any], bool, bool]] = [
        ({"methods": ["card"], "keep_method": "never"}, True, True),
        ({"methods": ["card"], "keep_method": "always"}, True, False),
        ({"methods": ["card"], "keep_method": "offered"}, True, False),
        ({"methods": ["card", "instalments"]}, True, False),
        ({"methods": ["sepa_debit"], "creditor": creditor}, False, False),
        ({"methods": ["klarna"], "forms": klarna}, False, False),
        ({"methods": ["bitcoin"]}, False, True),
    ]
    with serving() as double, Browser("en-GB") as browser:
        for link, has_card, keeps_nothing in cases:
            double.link = link
            browser.visit(f"{double.url}/pay/{CODE}")
            browser.wait_for("#form")
            foot = browser.text("#foot")
            assert ("card number" in foot, "keeps nothing" in foot) == (has_card, keeps_nothing), (link, foot)


def back_at_the_link(world: World) -> None:
    with serving() as double:
        with Browser("en-GB") as browser:
            browser.visit(f"{double.url}/pay/{CODE}")
            choose(browser, "klarna")
            to_provider(browser)
            browser.visit(f"{double.url}/pay/return/closed")
            browser.wait_for("#redirect")
            assert browser.run("location.pathname") == f"/pay/{CODE}"
            assert len(double.asked) == 1, double.asked
            assert not browser.complaints(), browser.complaints()
        # Whoever knows the payment's id alone is not led to its link.
        with Browser("en-GB") as browser:
            browser.visit(f"{double.url}/pay/return/closed")
            browser.wait_for_text("You can close this page")
            assert CODE not in browser.run("document.documentElement.outerHTML")


CASES: list[Case] = [
    ("why a payment failed is told in words that are true of what was paid with", failed),
    ("coins that have come and do not pay are told of above the form: nobody sends them twice", too_little),
    ("a payment that may take days says so to every visit, whatever is paid with", slowly),
    ("a withdrawn invoice asks nobody for a new link", withdrawn),
    ("the page's foot promises no more than is true of its ways to pay", promised),
    ("who left a link's page for their bank comes back to it, and nobody else gets there", back_at_the_link),
]
