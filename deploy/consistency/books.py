"""What must be equal between the services, given each one's answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SERVICES = ("payment", "subscription", "invoice", "fraud", "analytics")

Facts = dict[str, Any]

# Copies for people on the parking topics: published, and handled by nobody.
UNHANDLED = {"message.parked.v1"}

# Told by Analytics and by the owner: Analytics' name, the owner, the owner's name.
OWNERS: tuple[tuple[str, str, str], ...] = (
    ("active_subscriptions", "subscription", "active"),
    ("past_due_subscriptions", "subscription", "past_due"),
    ("mrr", "subscription", "mrr"),
    ("succeeded_payments", "payment", "succeeded_payments"),
    ("captures", "payment", "captures"),
    ("refunds", "payment", "refunds"),
    ("lost_disputes", "payment", "lost_disputes"),
    ("finalized_invoices", "invoice", "finalized_invoices"),
    ("paid_invoices", "invoice", "paid_invoices"),
)

# Told by two owners, as (service, path of the fact) twice.
PAIRS: tuple[tuple[str, str, str, str], ...] = (
    ("payment", "paid_invoices", "invoice", "payments_of_paid_invoices"),
    ("subscription", "billings.paid", "invoice", "paid_billings"),
)


@dataclass(frozen=True)
class Check:
    """One comparison. `left` and `right` are sentences, for people."""

    group: str
    subject: str
    agrees: bool
    left: str
    right: str


def compare(facts: dict[str, Facts]) -> list[Check]:
    """Every comparison there is; those that do not agree are what is wrong."""
    return [
        *events(facts),
        *history(facts),
        *shared_facts(facts),
        *pairs(facts),
        *ledger(facts["payment"]),
        *backlogs(facts),
        *violations(facts),
    ]


def events(facts: dict[str, Facts]) -> list[Check]:
    """Every event that was published was handled, once, by everyone who says that it handles its type."""
    published = {
        kind: (owner, tally)
        for owner in SERVICES
        for kind, tally in facts[owner].get("published", {}).items()
        if kind not in UNHANDLED
    }
    checks = []
    for service in SERVICES:
        handled = facts[service].get("handled", {})
        wanted = set(handled) | set(facts[service].get("handles", [])) | (set(published) if service == "analytics" else set())
        for kind in sorted(wanted):
            owner, tally = published.get(kind, ("nobody", {"count": 0, "id_sum": "0"}))
            checks.append(
                check(
                    "events: published = handled",
                    f"{kind} at {service}",
                    (f"published by {owner}", normal(tally)),
                    (f"handled by {service}", normal(handled.get(kind, {"count": 0, "id_sum": "0"}))),
                )
            )
    return checks


def history(facts: dict[str, Facts]) -> list[Check]:
    """Analytics' event history holds every published event once."""
    kept = facts["analytics"].get("facts", {}).get("event_history")
    if kept is None:
        return [missing("events: published = history", "event_history", "analytics")]
    published = {
        kind: tally
        for owner in SERVICES
        for kind, tally in facts[owner].get("published", {}).items()
        if kind not in UNHANDLED
    }
    nothing = {"count": 0, "id_sum": "0"}
    return [
        check(
            "events: published = history",
            kind,
            ("published", normal(published.get(kind, nothing))),
            ("in the history", normal(kept.get(kind, nothing))),
        )
        for kind in sorted(set(kept) | set(published))
    ]


def shared_facts(facts: dict[str, Facts]) -> list[Check]:
    """Analytics says what the owners say."""
    return [
        both("Analytics = owners", name, (owner, find(facts, owner, owners_name)), ("analytics", find(facts, "analytics", name)))
        for name, owner, owners_name in OWNERS
    ]


def pairs(facts: dict[str, Facts]) -> list[Check]:
    """What two owners both know."""
    return [
        both(
            "owners among themselves",
            f"{left_path} of {left} = {right_path} of {right}",
            (left, find(facts, left, left_path)),
            (right, find(facts, right, right_path)),
        )
        for left, left_path, right, right_path in PAIRS
    ]


def ledger(payment: Facts) -> list[Check]:
    """Debits equal credits in every currency."""
    books = payment.get("facts", {}).get("ledger")
    if books is None:
        return [missing("ledger sums to zero", "ledger", "payment")]
    return [
        check("ledger sums to zero", currency, ("debits", str(sums["debits"])), ("credits", str(sums["credits"])))
        for currency, sums in sorted(books.items())
    ]


def backlogs(facts: dict[str, Facts]) -> list[Check]:
    """Nothing waits to be sent or tried again, and nothing is parked."""
    return [
        check("nothing waits or is parked", f"{service} {name}", ("waiting", str(count)), ("wanted", "0"))
        for service in SERVICES
        for name, count in sorted(facts[service].get("backlog", {}).items())
    ]


def violations(facts: dict[str, Facts]) -> list[Check]:
    """Each service's own promises hold."""
    checks = []
    for service in SERVICES:
        found = facts[service].get("violations", [])
        checks.append(check("promises of each service", service, ("broken", "; ".join(found)), ("wanted", "")))
    return checks


def check(group: str, subject: str, left: tuple[str, Any], right: tuple[str, Any]) -> Check:
    return Check(group, subject, left[1] == right[1], f"{left[0]}: {left[1]}", f"{right[0]}: {right[1]}")


def both(group: str, subject: str, left: tuple[str, Any], right: tuple[str, Any]) -> Check:
    """Compares what both tell: a sum of ids counts only where both know one."""
    if left[1] is None and right[1] is None:
        return missing(group, subject, f"neither {left[0]} nor {right[0]}")
    one, other = tally(left[1]), tally(right[1])
    if isinstance(one, dict) and isinstance(other, dict) and ("id_sum" in one) != ("id_sum" in other):
        one, other = ({k: v for k, v in side.items() if k != "id_sum"} for side in (one, other))
    if isinstance(one, dict) and isinstance(other, dict) and ("amount" in one) != ("amount" in other) and nonzero(one, other):
        one, other = ({k: v for k, v in side.items() if k != "amount"} for side in (one, other))
    return check(group, subject, (left[0], one), (right[0], other))


def nonzero(one: Facts, other: Facts) -> bool:
    return one.get("count") == other.get("count") != "0"


def find(facts: dict[str, Facts], service: str, path: str) -> Any:
    """A fact by its dotted path; `None` when it is not told."""
    value: Any = facts[service].get("facts", {})
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def tally(value: Any) -> Any:
    """One form for totals: `{"USD": {"count", "amount"}}` becomes `{"count", "amount": {"USD": …}}`."""
    if isinstance(value, dict) and value and all(isinstance(m, dict) and set(m) == {"count", "amount"} for m in value.values()):
        value = {
            "count": sum(int(member["count"]) for member in value.values()),
            "amount": {currency: member["amount"] for currency, member in value.items()},
        }
    return normal({} if value is None else value)


def missing(group: str, name: str, service: str) -> Check:
    return Check(group, name, False, f"{service} does not tell '{name}'", "it must")


def normal(value: Any) -> Any:
    """Numbers as text and without zero amounts, so that 0 and absent, 5 and "5" are the same."""
    if isinstance(value, dict):
        return {key: normal(member) for key, member in sorted(value.items()) if normal(member) not in ("0", {})}
    return str(value) if isinstance(value, (int, str)) else value
