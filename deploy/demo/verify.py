"""Holds what the services say against what the calendar says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from . import expected
from .catalog import PLANS
from .client import JSON
from .job import Job, Member
from .stories import CANCEL_MONTH, UPGRADE_MONTH, UPGRADED_PLAN


def verify(job: Job, invoices: dict[str, list[JSON]], payments: dict[str, list[JSON]]) -> None:
    """Notes every difference in `job.failures`. Both arguments are by customer id."""
    for member in job.members:
        paid = [i for i in invoices[member.customer_id] if i["status"] == "paid" and i["total"] > 0]
        _counts(job, member, paid)
        _one_payment_each(job, member, paid, payments[member.customer_id])
        wanted = "canceled" if member.person.story == "cancellation" else "active"
        status = job.until(lambda: job.status(member), lambda found: found == wanted)
        job.expect(status == wanted, f"{member.person.name}: {status} at the end, not {wanted}")
    _recurring_revenue(job)


def _counts(job: Job, member: Member, paid: list[JSON]) -> None:
    """As many paid invoices as the calendar has billing days, at the plan's price."""
    wanted = Counter(expected_totals(job, member))
    regular = [i for i in paid if not any(line["proration"] for line in i["lines"])]
    found = Counter(invoice["total"] for invoice in regular)
    extra = len(paid) - len(regular)
    name = member.person.name
    job.expect(found == wanted, f"{name}: paid invoices by amount are {dict(found)}, not {dict(wanted)}")
    job.expect(
        extra == (1 if member.person.story == "upgrade" else 0), f"{name}: {extra} invoices with proration lines"
    )


def expected_totals(job: Job, member: Member) -> Iterable[int]:
    """The totals of the regular invoices of a member who follows the script."""
    person = member.person
    for day in expected.renewals(person, job.start):
        if person.story == "cancellation" and expected.at(day) > job.moment(CANCEL_MONTH, 25):
            continue
        upgraded = person.story == "upgrade" and expected.at(day) > job.moment(UPGRADE_MONTH, 20)
        yield PLANS[UPGRADED_PLAN if upgraded else person.plan].amount


def _one_payment_each(job: Job, member: Member, paid: list[JSON], payments: list[JSON]) -> None:
    """One succeeded payment for each paid invoice, over the same amount, and none besides."""
    succeeded = Counter((p["invoice_id"], p["amount"], p["currency"]) for p in payments if p["status"] == "succeeded")
    wanted = Counter((i["id"], i["total"], i["currency"]) for i in paid)
    job.expect(succeeded == wanted, f"{member.person.name}: succeeded payments are not one for each paid invoice")


def _recurring_revenue(job: Job) -> None:
    """Recurring revenue has grown by what the members of this run pay."""
    wanted: Counter[str] = Counter(amounts(job.before))
    for member in job.members:
        if member.person.story == "cancellation":
            continue
        plan = UPGRADED_PLAN if member.person.story == "upgrade" else member.person.plan
        wanted[PLANS[plan].currency] += expected.monthly_value(plan)
    found = job.until(lambda: amounts(job.client.get("/v1/analytics/summary")), lambda seen: seen == dict(wanted))
    job.expect(found == dict(wanted), f"recurring revenue is {found}, not {dict(wanted)}")


def amounts(summary: JSON) -> dict[str, int]:
    return {entry["currency"]: entry["amount"] for entry in summary["mrr"]}
