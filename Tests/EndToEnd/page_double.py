"""A double of the service behind the hosted payment page: it serves the page's own files and answers as the service does."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deploy.local.layout import ROOT

from .browser import Browser
from .harness import World

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
    "success_url": "https://shop.example/thanks", "cancel_url": "https://shop.example/cart", "is_sandbox": True,
    "country": None, "forms": {}, "wallets": None, "creditor": None, "card_form": None,
}  # fmt: skip
GOOGLE = "https://pay.google.com/gp/p/js/pay.js"
GOOGLE_POLICY = POLICY.replace("script-src 'self'", "script-src 'self' https://pay.google.com").replace(
    "require-trusted-types-for 'script'", "frame-src https://pay.google.com"
)
STRIPE = "https://js.stripe.com/v3/?advancedFraudSignals=false"
STRIPE_POLICY = (
    POLICY.replace("script-src 'self'", "script-src 'self' https://js.stripe.com https://*.js.stripe.com")
    .replace("connect-src 'self'", "connect-src 'self' https://api.stripe.com")
    .replace("require-trusted-types-for 'script'", "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com")
)
QR = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4"><path d="M0 0h2v2H0zM3 1h1v3H3zM1 3h1v1H1z"/></svg>'


@dataclass
class Double:
    """A link with one payment, and the page of a provider at `/provider`."""

    payment: dict[str, Any] | None = None
    status: str = "active"
    reserved: bool = False
    withdrawn: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    link: dict[str, Any] = field(default_factory=dict)
    policy: str = POLICY
    # What handing a card or a token over is answered with, and what was handed over.
    keeping: tuple[int, dict[str, Any]] = (201, {"payment_method_id": "pm_01jd9y4w3hf3zt0v8c2m5k7q9r"})
    kept: list[dict[str, Any]] = field(default_factory=list)
    # What paying is refused with; a problem without a status is a 422.
    refusal: dict[str, Any] | None = None
    # How often paying is still answered with the provider being about the method.
    pending: int = 0
    # What is offered in instalments.
    plans: list[dict[str, Any]] = field(default_factory=list)
    # How often something is still answered with a failure, by the last part of its path; and how often it was asked for.
    failing: dict[str, int] = field(default_factory=dict)
    failure: int = 503
    answered: Counter[str] = field(default_factory=Counter)
    # Where an authentication stands.
    step: dict[str, Any] = field(default_factory=lambda: {"step": "over", "payment_status": "succeeded"})
    # The brand's style sheet; the page's plain one without it.
    brand: str | None = None

    def fails(self, name: str) -> bool:
        self.answered[name] += 1
        left = self.failing.get(name, 0)
        self.failing[name] = left - 1
        return left > 0

    def answer(self) -> dict[str, Any]:
        told = {"status": self.status, "reserved": self.reserved, "withdrawn": self.withdrawn, "payment": self.payment}
        return {"object": "payment_link_status"} | told

    def pay(self, body: dict[str, Any]) -> None:
        """What `POST /pay/{code}/pay` does: begins one payment, or another attempt for who has seen the last one fail."""
        self.asked.append(body)
        seen = body.get("attempts", 0)
        is_refused = self.payment and self.payment["status"] == "failed" and seen == self.payment["attempts"]
        if self.payment and self.payment["status"] != "canceled" and not is_refused:
            return
        kind = body.get("method", {}).get("type", "card")
        if kind == "card":
            action = None
        elif kind == "bitcoin":
            action = self.transfer("0.001554")
        else:
            action = {"type": "redirect", "url": f"{self.url}/provider?attempt={seen + 1}", "expires_at": None}
        self.payment = {
            "id": "pay_01jd9y4w3hf3zt0v8c2m5k7q9r", "status": "requires_action" if action else "processing", "amount": 12900, "currency": "EUR",
            "attempts": seen + 1, "method": kind, "card_brand": None, "card_last4": None, "failure": None,
            "next_action": action, "held": False, "cancelable": action is not None, "created_at": "2026-01-31T12:00:00Z",
        }  # fmt: skip

    def transfer(self, amount: str) -> dict[str, Any]:
        asked = amount != "0"
        return {
            "type": "transfer", "asset": "BTC", "address": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "amount": amount,
            "uri": f"bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4?amount={amount}" if asked else None,
            "qr": f"/pay/{CODE}/transfer.svg?session=x" if asked else None, "expires_at": "2026-01-31T12:15:00Z",
        }  # fmt: skip

    def settle(self, status: str, failure: dict[str, str] | None = None) -> None:
        """What the provider says from now on."""
        assert self.payment
        self.payment |= {"status": status, "failure": failure, "next_action": None, "held": False, "cancelable": False}
        self.status = "completed" if status == "succeeded" else "active"

    def page(self) -> str:
        text = (PAGE / "page.html").read_text()
        data = json.dumps(LINK | {"state": self.status} | self.link).replace("<", "\\u003c")
        values = {"language": "en", "direction": "ltr", "title": "Nordlicht Audio", "assets": "/pay/assets/v"}
        google = f'<script async id="google-pay" src="{GOOGLE}"></script>'
        stripe = f'<script async id="card-form" src="{STRIPE}"></script>'
        values["scripts"] = (google if "google_pay" in self.link.get("methods", []) else "") + (
            stripe if self.link.get("card_form") else ""
        )
        for name, value in (values | {"brand": "/pay/assets/v/plain.css", "data": data}).items():
            text = text.replace("{{" + name + "}}", value)
        return text


    def authentication(self) -> str:
        return self.authenticate({"code": CODE, "amount": "12900", "currency": "EUR", "exponent": 2, "is_sandbox": True})

    def returned(self, return_url: str | None) -> str:
        """The page that a provider sends customers back to."""
        return self.authenticate({"returned": "pay_01jd9y4w3hf3zt0v8c2m5k7q9r", "return_url": return_url})

    def authenticate(self, data: dict[str, Any]) -> str:
        text = (PAGE / "authenticate.html").read_text()
        data = {"assets": "/pay/assets/v"} | data
        values = {"assets": "/pay/assets/v", "script": "authenticate.js", "data": json.dumps(data)}
        for name, value in values.items():
            text = text.replace("{{" + name + "}}", value)
        return text


@contextmanager
def serving() -> Iterator[Double]:
    double = Double()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            name = path.rpartition("/")[2]
            if double.fails(name):
                self.say("{}", "json", double.failure)
            elif path == f"/pay/{CODE}":
                self.say(double.page(), "html")
            elif path == f"/pay/authentication/{CODE}":
                self.say(double.authentication(), "html")
            elif path == f"/pay/authentication/{CODE}/status":
                self.say(json.dumps(double.step), "json")
            elif name == "plain.css" and double.brand:
                self.say(double.brand, "css")
            elif path == "/pay/return/closed":
                self.say(double.returned(None), "html")
            elif path == "/pay/return/shop":
                self.say(double.returned(f"{double.url}/provider?cart=7"), "html")
            elif path == "/provider":
                self.say("<title>Provider</title><h1>Approve?</h1>", "html")
            elif name == "favicon.ico":
                self.say(QR, "svg")
            elif name == "instalments":
                self.say(json.dumps({"object": "list", "data": double.plans}), "json")
            elif name == "status":
                self.say(json.dumps(double.answer()), "json")
            elif name == "transfer.svg":
                self.say(QR, "svg")
            elif file := next((found for found in (PAGE / name, PAGE / "text" / name) if found.is_file()), None):
                self.say(file.read_text(), name.rpartition(".")[2])
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/provider":
                self.say("<title>Bank</title>", "html")
                return
            body = json.loads(text)
            if double.fails(self.path.rpartition("/")[2]):
                self.say("{}", "json", double.failure)
            elif self.path.endswith("/step"):
                self.say(json.dumps(double.step), "json")
            elif self.path.endswith("/card"):
                double.kept.append(body)
                self.say(json.dumps(double.keeping[1]), "json", double.keeping[0])
            elif self.path.endswith("/bank_account"):
                double.kept.append(body)
                self.say(json.dumps(double.keeping[1]), "json", double.keeping[0])
            elif self.path.endswith("/cancel"):
                double.settle("canceled")
                self.say(json.dumps(double.answer()), "json", 202)
            elif self.path.endswith("/apple_pay/session"):
                self.say(json.dumps({"session": {"asked": body["validation_url"]}}), "json")
            elif self.path.endswith("/pay") and double.pending > 0:
                double.pending -= 1
                self.say(json.dumps({"code": "payment_method_pending"}), "json", 409)
            elif double.refusal:
                double.asked.append(body)
                self.say(json.dumps(double.refusal), "json", double.refusal.get("status", 422))
            else:
                double.pay(body)
                self.say(json.dumps(double.answer()), "json", 202)

        def say(self, text: str, kind: str, status: int = 200) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{TYPES[kind]}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", double.policy)
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


def speak(browser: Browser, language: str) -> None:
    """The reader chooses another language."""
    place = f"const l = document.querySelector('#language'); l.value = '{language}'"
    browser.run(f"(() => {{ {place}; l.dispatchEvent(new Event('change')); }})()")


def unexpected(browser: Browser) -> list[str]:
    """What the browser complains of beside refusals, which it logs as failed loads."""
    return [text for text in browser.complaints() if "status of 422" not in text]
