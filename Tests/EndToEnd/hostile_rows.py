"""What the API must refuse, as a table: request, status, and the parameters the answer must name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

JSON_TYPE = {"Content-Type": "application/json"}
MAX_INT64 = 2**63 - 1


@dataclass(frozen=True)
class Row:
    """One hostile request. `names` are parameters that the answer's `errors` must all name."""

    title: str
    method: str
    path: str
    body: bytes | None
    statuses: tuple[int, ...]
    names: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON_TYPE))


def rows(customer: str, payment: str) -> list[Row]:
    """The table, around a real customer with a card and a real payment of 500 minor units."""
    return [
        *payments(customer),
        *json_forms(customer),
        *other_bodies(customer, payment),
        *queries_and_paths(),
    ]


def payments(customer: str) -> list[Row]:
    good: dict[str, Any] = {"amount": 500, "currency": "USD", "customer_id": customer}

    def row(title: str, names: tuple[str, ...], **changes: Any) -> Row:
        body = {name: value for name, value in (good | changes).items() if value is not ...}
        return Row(title, "POST", "/v1/payments", json.dumps(body).encode(), (422,), names)

    return [
        row("unknown currency", ("currency",), currency="XYZ"),
        row("currency in lower case", ("currency",), currency="usd"),
        row("a fund code that is no money", ("currency",), currency="XAU"),
        row("currency as a number", ("currency",), currency=840),
        row("no currency", ("currency",), currency=...),
        row("amount 0", ("amount",), amount=0),
        row("negative amount", ("amount",), amount=-500),
        row("amount one beyond 64 bits", ("amount",), amount=MAX_INT64 + 1),
        row("amount far beyond 64 bits", ("amount",), amount=10**40),
        row("negative amount beyond 64 bits", ("amount",), amount=-(10**40)),
        row("amount with decimals", ("amount",), amount=5.25),
        row("amount as text", ("amount",), amount="5.00"),
        row("amount as text of a whole number", ("amount",), amount="500"),
        row("amount null", ("amount",), amount=None),
        row("amount true", ("amount",), amount=True),
        row("amount as a list", ("amount",), amount=[500]),
        row("no amount", ("amount",), amount=...),
        row("customer id of another kind", ("customer_id",), customer_id="pay_00000000000000000000000000"),
        row("customer id with quotes", ("customer_id",), customer_id="x' OR '1'='1"),
        row("empty customer id", ("customer_id",), customer_id=""),
        row("payment method id of another kind", ("payment_method_id",), payment_method_id="cus_1"),
        row("a member nobody knows", ("surprise",), surprise=1),
        row("51 metadata keys", ("metadata",), metadata={f"k{n}": "v" for n in range(51)}),
        row("a metadata value too long", ("metadata.k",), metadata={"k": "v" * 501}),
        row("a metadata value that is no text", ("metadata.k",), metadata={"k": {"deep": 1}}),
        row("a description too long", ("description",), description="d" * 5001),
        row("capture method of another world", ("capture_method",), capture_method="teleport"),
        row("several faults at once", ("amount", "currency", "customer_id"), amount=0, currency="XYZ", customer_id=""),
    ]


def json_forms(customer: str) -> list[Row]:
    body = json.dumps({"amount": 500, "currency": "USD", "customer_id": customer})

    def raw(title: str, data: bytes, statuses: tuple[int, ...] = (400, 422)) -> Row:
        return Row(title, "POST", "/v1/payments", data, statuses)

    def typed(title: str, headers: dict[str, str]) -> Row:
        return Row(title, "POST", "/v1/payments", body.encode(), (415,), (), headers)

    inside = body[1:-1]
    return [
        raw("empty body", b""),
        raw("not JSON", b"amount=500&currency=USD"),
        raw("JSON cut off", body[:-5].encode()),
        raw("bytes after the JSON", body.encode() + b"{}"),
        raw("a list instead of an object", b"[" + body.encode() + b"]"),
        raw("text instead of an object", b'"hello"'),
        raw("a duplicate key", ('{"amount": 1, ' + inside + "}").encode()),
        raw("a duplicate key spelt with an escape", ('{"\\u0061mount": 1, ' + inside + "}").encode()),
        raw("invalid UTF-8", body.encode().replace(b"USD", b"U\xff\xfe")),
        raw("UTF-8 that is too long for its character", ("{" + inside + ', "description": "').encode() + b"\xc0\xaf\"}"),
        raw("a lone surrogate", ("{" + inside + ', "description": "\\ud800"}').encode()),
        raw("a NUL in a text", ("{" + inside + ', "description": "a\\u0000b"}').encode()),
        raw("a byte order mark", b"\xef\xbb\xbf" + body.encode()),
        raw("NaN", body.replace("500", "NaN").encode()),
        raw("a number with a leading zero", body.replace("500", "0500").encode()),
        raw("a comment", body.replace("500", "/* five */ 500").encode()),
        raw("nested 10,000 deep", b"[" * 10_000 + b"]" * 10_000),
        raw("an object nested 200 deep", b'{"a":' * 200 + b"1" + b"}" * 200),
        raw("a million members", b"{" + b",".join(b'"k%d":1' % n for n in range(70_000)) + b"}", (400, 413, 422)),
        raw("a body of 1.5 MiB", b'{"description":"' + b"a" * 1_572_864 + b'"}', (413,)),
        raw("a body of 3 MiB", b'{"description":"' + b"a" * 3_145_728 + b'"}', (413,)),
        typed("plain text", {"Content-Type": "text/plain"}),
        typed("a form", {"Content-Type": "application/x-www-form-urlencoded"}),
        typed("JSON in UTF-16", {"Content-Type": "application/json; charset=utf-16"}),
        typed("no content type", {}),
        typed("a compressed body", {**JSON_TYPE, "Content-Encoding": "gzip"}),
    ]


def other_bodies(customer: str, payment: str) -> list[Row]:
    person = {"email": "a@example.com", "name": "A", "country": "US"}
    plan = {"name": "P", "amount": 100, "currency": "USD", "interval": "month"}
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2049, "cvc": "123"}
    nobody = "cus_00000000000000000000000000"

    def row(path: str, title: str, body: dict[str, Any], names: tuple[str, ...], statuses: tuple[int, ...] = (422,)) -> Row:
        return Row(title, "POST", path, json.dumps(body).encode(), statuses, names)

    def with_card(title: str, name: str, **changes: Any) -> Row:
        body = {"customer_id": customer, "type": "card", "card": card | changes}
        return row("/v1/payment_methods", title, body, (f"card.{name}",))

    unknown = (404, 422)
    return [
        row("/v1/payments", "an unknown customer", {"amount": 5, "currency": "USD", "customer_id": nobody}, (), unknown),
        row("/v1/customers", "a country there is not", person | {"country": "XX"}, ("country",)),
        row("/v1/customers", "a country of three letters", person | {"country": "USA"}, ("country",)),
        row("/v1/customers", "a time zone on Mars", person | {"time_zone": "Mars/Phobos"}, ("time_zone",)),
        row("/v1/customers", "a path as time zone", person | {"time_zone": "../../etc/passwd"}, ("time_zone",)),
        row("/v1/customers", "an address without @", person | {"email": "nobody"}, ("email",)),
        row("/v1/customers", "an address with a line break", person | {"email": "a@b.c\r\nBcc: d@e.f"}, ("email",)),
        row("/v1/customers", "no name", person | {"name": ""}, ("name",)),
        row("/v1/customers", "an own id with a slash", person | {"id": "a/b"}, ("id",)),
        row("/v1/customers", "an own id too long", person | {"id": "a" * 65}, ("id",)),
        row("/v1/plans", "a negative price", plan | {"amount": -1}, ("amount",)),
        row("/v1/plans", "a lunar interval", plan | {"interval": "moon"}, ("interval",)),
        row("/v1/plans", "every 0 months", plan | {"interval_count": 0}, ("interval_count",)),
        row("/v1/plans", "a negative trial", plan | {"trial_days": -1}, ("trial_days",)),
        row("/v1/subscriptions", "an unknown plan", {"customer_id": customer, "plan_id": "no_such_plan"}, (), unknown),
        row("/v1/subscriptions", "an unknown subscriber", {"customer_id": nobody, "plan_id": "premium_monthly"}, (), unknown),
        with_card("a card number with a wrong check digit", "number", number="4242424242424241"),
        with_card("a card number of letters", "number", number="four two four two"),
        with_card("month 13", "exp_month", exp_month=13),
        with_card("a card that expired in 2001", "exp_year", exp_year=2001),
        with_card("a security code of letters", "cvc", cvc="abc"),
        row("/v1/refunds", "a refund of an unknown payment", {"payment_id": "pay_00000000000000000000000000"}, (), unknown),
        row("/v1/refunds", "a refund of more than was paid", {"payment_id": payment, "amount": 501}, (), (409, 422)),
        row("/v1/refunds", "a refund of nothing", {"payment_id": payment, "amount": 0}, ("amount",)),
        row("/v1/test_clock/advance", "a time that is none", {"to": "tomorrow"}, ("to",)),
        row("/v1/test_clock/advance", "a time gone by", {"to": "2001-01-01T00:00:00Z"}, (), (409, 422)),
        row("/v1/test_clock/advance", "the 30th of February", {"to": "2099-02-30T00:00:00Z"}, ("to",)),
    ]


def queries_and_paths() -> list[Row]:
    def get(title: str, path: str, statuses: tuple[int, ...], names: tuple[str, ...] = ()) -> Row:
        return Row(title, "GET", path, None, statuses, names, {})

    bad_query = (400, 422)
    return [
        get("limit 0", "/v1/payments?limit=0", bad_query, ("limit",)),
        get("limit 101", "/v1/payments?limit=101", bad_query, ("limit",)),
        get("limit of letters", "/v1/payments?limit=ten", bad_query, ("limit",)),
        get("a cursor of another kind", "/v1/payments?starting_after=cus_1", bad_query, ("starting_after",)),
        get("a query nobody knows", "/v1/payments?order=desc", bad_query, ("order",)),
        get("the same query twice", "/v1/payments?limit=1&limit=2", bad_query, ("limit",)),
        get("SQL in a filter", "/v1/payments?customer_id=%27%3B+DROP+TABLE+payments%3B--", bad_query, ("customer_id",)),
        get("a status there is not", "/v1/subscriptions?status=asleep", bad_query, ("status",)),
        get("a month 13", "/v1/analytics/mrr?from=2026-13&to=2027-01", bad_query, ("from",)),
        get("broken percent encoding", "/v1/payments?customer_id=%zz", (400, 422)),
        get("an unknown id", "/v1/payments/pay_00000000000000000000000000", (404,)),
        get("an id of another kind", "/v1/payments/cus_1", (400, 404, 422)),
        get("an id with a path in it", "/v1/payments/..%2f..%2fetc%2fpasswd", (400, 404, 422)),
        get("a path nobody serves", "/v1/nothing", (404,)),
        get("a path that begins like one", "/v1/paymentsandmore", (404,)),
        get("the inner doors", "/internal/test_clock", (404,)),
        get("the metrics", "/metrics", (404,)),
        Row("a method nobody serves", "DELETE", "/v1/payments", None, (404, 405), (), {}),
    ]
