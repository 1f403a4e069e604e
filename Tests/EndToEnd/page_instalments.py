"""Own instalments on the hosted payment page, in a real browser: what is shown before anybody agrees, and what is paid then."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.demo.client import JSON

from .browser import Browser
from .harness import Case, World, eventually
from .page_double import CODE, serving
from .page_double import picture as picture_of_double
from .payment_page import FAINT, GOOD, LANGUAGES, NAMELESS, PAY, POOR, give_card, new_link, payments, picture

AMOUNT = 40001
# What a screen reader is told while the rest of the page shows a wheel.
HEARD = """
(() => {
  const news = document.getElementById("news");
  window.heard = [];
  new MutationObserver(() => window.heard.push(news.textContent)).observe(news, { childList: true });
})()
"""


def plan_link(world: World, amount: int = AMOUNT) -> JSON:
    return new_link(world, amount=amount, methods=["card", "instalments"], success_url="https://shop.example/thanks")


def choose(browser: Browser, link: JSON) -> None:
    browser.visit(link["url"])
    browser.wait_for("input[value=instalments]")
    browser.click("input[value=instalments]")
    browser.wait_for("table.plan")


def offers(world: World, amount: int = AMOUNT) -> dict[str, JSON]:
    found = world.client.post("/v1/instalment_plans/offers", {"amount": amount, "currency": "EUR"})["data"]
    return {offer["terms"]: offer for offer in found}


def euros(minor: int) -> str:
    return f"€{minor // 100:,}.{minor % 100:02}"


def rows(browser: Browser) -> list[list[str]]:
    cells = "[...document.querySelectorAll('table.plan :is(tbody, tfoot) tr')].map((r) => [...r.cells].map((c) => c.innerText))"
    found: list[list[str]] = browser.run(cells)
    return found


def agreed(world: World) -> None:
    link = plan_link(world)
    terms = offers(world)
    with Browser("en-GB") as browser:
        choose(browser, link)
        assert browser.run("document.querySelectorAll('input[name=plan]').length") == len(terms) == 4
        for name, offer in terms.items():
            browser.click(f"input[value={name}]")
            shown = rows(browser)
            assert [row[1] for row in shown[:-4]] == [euros(part["amount"]) for part in offer["schedule"]], shown
            sums = [offer["amount"], offer["charge"], offer["total_payable"]]
            assert [row[1] for row in shown[-4:-1]] == [euros(minor) for minor in sums], shown
            assert browser.text(PAY) == f"Pay {euros(offer['schedule'][0]['amount'])}"
            assert not browser.run("document.querySelector('#agree').checked")
        counts = [int(text.split()[0]) for text in browser.run("[...document.querySelectorAll('input[name=plan]')].map((i) => i.parentElement.innerText)")]
        assert counts == sorted(counts), counts
        picture(world, browser, "plan-12")
        browser.click("input[value=pay_in_6]")
        assert "€5.00" in browser.text("#plan") and "5 days" in browser.text("#plan")
        give_card(browser, GOOD)
        browser.click(PAY)
        assert browser.text("#agree-fault") and browser.run("document.activeElement.id") == "agree"
        picture(world, browser, "plan-fault")
        assert payments(world, link) == []
        browser.press(" ", 32)
        browser.run(f"(() => {{ const b = document.querySelector('{PAY}'); b.click(); b.click(); b.click(); }})()")
        browser.wait_for("#success table.plan")
        picture(world, browser, "plan-success")
        receipt = rows(browser)
        assert "(paid)" in receipt[0][0] and len(receipt) == 6 + 4, receipt
        browser.reload()
        browser.wait_for("#success table.plan")
        assert rows(browser) == receipt
        assert not browser.complaints(), browser.complaints()
    paid = payments(world, link)
    assert [(p["status"], p["amount"]) for p in paid] == [("succeeded", terms["pay_in_6"]["schedule"][0]["amount"])], paid
    plans = world.client.list("/v1/instalment_plans", customer_id=link["customer_id"])
    assert len(plans) == 1, plans
    plan = eventually(
        lambda: world.client.get(f"/v1/instalment_plans/{plans[0]['id']}"),
        lambda plan: plan["status"] == "active",
        30,
        "the plan does not begin",
    )
    due = [(part["due_on"], part["principal"] + part["charge"]) for part in plan["schedule"]]
    assert due == [(part["due_on"], part["amount"]) for part in terms["pay_in_6"]["schedule"]], due
    assert plan["payment_method_id"] == paid[0]["payment_method_id"]
    world.assert_consistent(60)


def declined(world: World) -> None:
    link = plan_link(world, 12900)
    with Browser("en-GB", 390, 844, 2) as browser:
        choose(browser, link)
        picture(world, browser, "plan-phone")
        give_card(browser, POOR)
        browser.click("#agree")
        browser.click(PAY)
        browser.wait_for(".alert")
        assert "not enough money" in browser.text(".alert")
        browser.wait_for("#number")
        give_card(browser, GOOD)
        browser.click(PAY)
        browser.wait_for("#success")
        assert browser.run("document.querySelector('table.plan')") is None
        assert not browser.complaints(), browser.complaints()
    found = sorted((p["status"], p["amount"]) for p in payments(world, link))
    assert found == [("canceled", 4300), ("succeeded", 12900)], found
    plans = world.client.list("/v1/instalment_plans", customer_id=link["customer_id"])
    assert [plan["status"] for plan in plans] == ["failed"], plans
    world.assert_consistent(60)


def languages(world: World) -> None:
    link = plan_link(world)
    keys = json.loads((Path(__file__).parents[2] / "Services/Payment/Links/Page/text/en.json").read_text()).keys()
    for language in LANGUAGES:
        with Browser(language) as browser:
            for scheme in ("light", "dark"):
                browser.prefer(prefers_color_scheme=scheme)
                choose(browser, link)
                browser.click("input[value=pay_in_12]")
                browser.click(PAY)
                assert not browser.run(FAINT), f"{language} {scheme}: {browser.run(FAINT)}"
            picture(world, browser, f"plan-{language}-dark")
            assert not [key for key in keys if "_" in key and key in browser.text()], browser.text()
            assert not browser.run(NAMELESS), browser.run(NAMELESS)
            for width in (320, 768, 1180):
                browser.resize(width, 800)
                wide = browser.run("document.documentElement.scrollWidth")
                assert wide <= width, f"{language} is {wide} wide on {width}"
                if width == 320:
                    picture(world, browser, f"plan-{language}-narrow")
            assert not browser.complaints(), browser.complaints()
    assert payments(world, link) == []


def changed(world: World) -> None:
    terms = offers(world)
    with serving() as double, Browser("en-GB") as browser:
        double.link = {"methods": ["card", "instalments"], "amount": str(AMOUNT)}
        double.plans = list(terms.values())
        double.refusal = {"status": 409, "code": "instalment_offer_changed"}
        browser.visit(f"{double.url}/pay/{CODE}")
        browser.run(HEARD)
        browser.click("input[value=instalments]")
        browser.wait_for("table.plan")
        give_card(browser, GOOD)
        browser.click("#agree")
        browser.click("input[value=pay_in_4]")
        assert not browser.run("document.querySelector('#agree').checked"), "another plan is agreed to unseen"
        browser.click("#agree")
        browser.click(PAY)
        browser.wait_for(".alert")
        assert "has changed" in browser.text(".alert")
        assert browser.run("window.heard") == ["Your plans are being worked out.", "Choose a plan", "Paying …"]
        picture_of_double(world, browser, "plan-changed")
        plan = {"terms": "pay_in_4", "offer": terms["pay_in_4"]["fingerprint"], "language": "en", "accepted": True}
        assert [body["instalments"] for body in double.asked] == [plan], double.asked
        double.plans = []
        browser.click("input[value=instalments]")
        browser.wait_for_text("cannot be paid here at the moment")


CASES: list[Case] = [
    ("every plan is shown to the unit before anybody agrees, agreeing pays its first part, and the receipt shows the rest", agreed),
    ("a declined first part says why and leaves no plan; all is paid at once instead", declined),
    ("an offer that has changed since is shown anew, and another plan is agreed to anew", changed),
    ("plans in twelve languages, light and dark, wide and narrow, are complete and can be read", languages),
]
