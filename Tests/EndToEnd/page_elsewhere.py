"""The hosted payment page where a payment goes on elsewhere: at a provider whose page leads back, or in a wallet.

No provider stands behind a test stack, so the page's own files are served by a double that answers as the service does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deploy.local.layout import ROOT

from .browser import Browser
from .harness import Case, World, eventually

PAGE = ROOT / "Services/Payment/Links/Page"
CODE = "H7KM3QXP"
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "json": "application/json", "svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
LINK = {
    "assets": "/pay/assets/v", "state": "active", "code": CODE, "amount": "12900", "currency": "EUR", "exponent": 2,
    "description": "Kopfhörer Nord 2", "merchant": "Nordlicht Audio", "logo": None, "language": None,
    "methods": ["card", "klarna", "paypal", "bitcoin"], "crypto": {"bitcoin": "BTC"},
    "success_url": "https://shop.example/thanks", "cancel_url": "https://shop.example/cart", "is_sandbox": True, "apple_pay": None, "google_pay": None,
}  # fmt: skip
QR = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><path d="M0 0h2v2H0zM3 1h1v3H3zM1 3h1v1H1z"/></svg>'


@dataclass
class Double:
    """A link with one payment, and the page of a provider at `/provider`."""

    payment: dict[str, Any] | None = None
    status: str = "active"
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(self) -> dict[str, Any]:
        return {"object": "payment_link_status", "status": self.status, "payment": self.payment}

    def pay(self, body: dict[str, Any]) -> None:
        """What `POST /pay/{code}/pay` does: begins one payment, or another attempt for who has seen the last one fail."""
        self.asked.append(body)
        seen = body.get("attempts", 0)
        if self.payment and not (self.payment["status"] == "failed" and seen == self.payment["attempts"]):
            return
        kind = body["method"]["type"]
        if kind == "bitcoin":
            action = self.transfer("0.001554")
        else:
            action = {"type": "redirect", "url": f"{self.url}/provider?attempt={seen + 1}", "expires_at": None}
        self.payment = {
            "id": "pay_01jd9y4w3hf3zt0v8c2m5k7q9r", "status": "requires_action", "amount": 12900, "currency": "EUR",
            "attempts": seen + 1, "method": kind, "card_brand": None, "card_last4": None, "failure": None,
            "next_action": action, "created_at": "2026-01-31T12:00:00Z",
        }  # fmt: skip

    def transfer(self, amount: str) -> dict[str, Any]:
        return {
            "type": "transfer", "asset": "BTC", "address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "amount": amount,
            "uri": f"bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount={amount}",
            "qr": f"/pay/{CODE}/transfer.svg?session=x", "expires_at": "2026-01-31T12:15:00Z",
        }  # fmt: skip

    def settle(self, status: str, failure: dict[str, str] | None = None) -> None:
        """What the provider says from now on."""
        assert self.payment
        self.payment |= {"status": status, "failure": failure, "next_action": None}
        self.status = "completed" if status == "succeeded" else "active"

    def page(self) -> str:
        text = (PAGE / "page.html").read_text()
        data = json.dumps(LINK | {"state": self.status}).replace("<", "\\u003c")
        values = {"language": "en", "direction": "ltr", "title": "Nordlicht Audio", "assets": "/pay/assets/v"}
        for name, value in (values | {"brand": "/pay/assets/v/plain.css", "data": data}).items():
            text = text.replace("{{" + name + "}}", value)
        return text


@contextmanager
def serving() -> Iterator[Double]:
    double = Double()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            name = path.rpartition("/")[2]
            if path == f"/pay/{CODE}":
                self.say(double.page(), "html")
            elif path == "/provider":
                self.say("<title>Provider</title><h1>Approve?</h1>", "html")
            elif name == "favicon.ico":
                self.say(QR, "svg")
            elif name == "status":
                self.say(json.dumps(double.answer()), "json")
            elif name == "transfer.svg":
                self.say(QR, "svg")
            elif (file := PAGE / ("text" if name.endswith(".json") else "") / name).is_file():
                self.say(file.read_text(), name.rpartition(".")[2])
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            double.pay(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.say(json.dumps(double.answer()), "json", 202)

        def say(self, text: str, kind: str, status: int = 200) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{TYPES[kind]}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A test says only how it ended."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()


def picture(world: World, browser: Browser, name: str) -> None:
    browser.picture(world.stack.directory / "pictures" / f"{name}.png")


def choose(browser: Browser, method: str) -> None:
    browser.click(f"input[value={method}]")
    browser.click("#form button[type=button]:not(.wallet)")


def to_provider(browser: Browser) -> None:
    eventually(lambda: browser.run("location.pathname"), lambda path: path == "/provider", 20, "the page does not lead away")


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
        assert not browser.complaints(), browser.complaints()
    assert len(double.asked) == 1


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
        double.payment["next_action"] = double.transfer("0.000054")
        browser.wait_for_text("0.000054 BTC")
        double.settle("succeeded")
        browser.wait_for("#success")
        assert not browser.complaints(), browser.complaints()


CASES: list[Case] = [
    ("a customer is led to a provider's page once, and comes back to a receipt", led_away),
    ("a refusal there leads back to the choice, and a bank that takes its time is waited for", sent_back),
    ("a transfer is shown with its QR image, and what is missing, until it has arrived", transferred),
]
