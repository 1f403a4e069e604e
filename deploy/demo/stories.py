"""The four stories of the main job: an upgrade, a card that fails and recovers, a refund, a cancellation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from .cards import INSUFFICIENT_FUNDS, good_card
from .catalog import PLANS
from .client import JSON
from .job import Job

UPGRADE_MONTH, FAILING_MONTH, REFUND_MONTH, CANCEL_MONTH = 3, 4, 6, 7
UPGRADED_PLAN = "family_monthly"
# Each of the sandbox's acquirers is asked in turn where one declines for now: an attempt each.
ACQUIRERS = 3

Step = tuple[datetime, Callable[[], None]]


def plan(job: Job) -> list[Step]:
    """What happens when."""
    anchor = job.member("failing card").person.day
    return [
        (job.moment(UPGRADE_MONTH, 20), lambda: upgrade(job)),
        (job.moment(FAILING_MONTH, anchor - 2), lambda: card_goes_bad(job)),
        (job.moment(FAILING_MONTH, anchor, 18), lambda: renewal_fails(job)),
        (job.moment(FAILING_MONTH, anchor + 1, 18), lambda: retry_fails_and_new_card(job)),
        (job.moment(REFUND_MONTH, 18), lambda: refund(job)),
        (job.moment(CANCEL_MONTH, 25), lambda: cancel(job)),
    ]


def upgrade(job: Job) -> None:
    member = job.member("upgrade")
    old, new = PLANS[member.person.plan], PLANS[UPGRADED_PLAN]
    known = {invoice["id"] for invoice in job.invoices(member)}
    job.client.patch(
        f"/v1/subscriptions/{member.subscription_id}", {"plan_id": new.id, "proration": "immediate"}
    )

    def fresh() -> list[JSON]:
        return [i for i in job.invoices(member) if i["id"] not in known and i["status"] == "paid"]

    made = job.until(fresh, lambda found: len(found) == 1)
    job.expect(len(made) == 1, f"upgrade: {len(made)} proration invoices are paid, not 1")
    if made:
        total, lines = made[0]["total"], made[0]["lines"]
        most = new.amount - old.amount
        job.expect(0 < total < most, f"upgrade: the proration invoice is over {total}, not between 0 and {most}")
        job.expect(all(line["proration"] for line in lines), "upgrade: a line is not marked as proration")
        parts = ", ".join(f"{line['description']} {money(line['amount'], new.currency)}" for line in lines)
        when = job.moment(UPGRADE_MONTH, 20)
        job.tell("upgrade", when, f"{old.id} -> {new.id}: {made[0]['number']} {money(total, new.currency)} ({parts})")


def card_goes_bad(job: Job) -> None:
    member = job.member("failing card")
    method = job.attach(member, INSUFFICIENT_FUNDS, "bad-card")
    when = job.moment(FAILING_MONTH, member.person.day - 2)
    job.tell("failing card", when, f"the default card is now the one ending in {method['card']['last4']}: no funds")


def renewal_fails(job: Job) -> None:
    _expect_past_due(job, tries=1, what="the renewal is declined")


def retry_fails_and_new_card(job: Job) -> None:
    member = job.member("failing card")
    _expect_past_due(job, tries=2, what="the first retry, a day later, is declined too")
    job.attach(member, good_card(), "new-card")
    status = job.until(lambda: job.status(member), lambda found: found == "active")
    job.expect(status == "active", f"failing card: {status} after a good card came, not active")
    paid = job.until(lambda: job.payments(member)[-1], lambda payment: payment["status"] == "succeeded")
    when = job.moment(FAILING_MONTH, member.person.day + 1)
    job.tell("failing card", when, f"a new card: attempt {paid['attempts']} {paid['status']}, subscription {status}")


def _expect_past_due(job: Job, tries: int, what: str) -> None:
    member = job.member("failing card")
    attempts = tries * ACQUIRERS
    status = job.until(lambda: job.status(member), lambda found: found == "past_due")
    job.expect(status == "past_due", f"failing card: {status} when {what}, not past_due")
    payment = job.until(
        lambda: job.payments(member)[-1], lambda found: found["attempts"] == attempts and found["status"] == "failed"
    )
    code = (payment.get("failure") or {}).get("code")
    job.expect(
        payment["attempts"] == attempts and code == "insufficient_funds",
        f"failing card: attempt {payment['attempts']} failed with {code}, not attempt {attempts} with insufficient_funds",
    )
    when = job.moment(FAILING_MONTH, member.person.day + tries - 1)
    job.tell("failing card", when, f"{what} ({code}), subscription {status}")


def refund(job: Job) -> None:
    member = job.member("refund")
    payment = [p for p in job.payments(member) if p["status"] == "succeeded"][-1]
    made = job.post("/v1/refunds", {"payment_id": payment["id"], "reason": "requested_by_customer"}, "refund")
    job.refunds.append(made)
    job.expect(made["amount"] == payment["amount"], f"refund: {made['amount']} came back, not {payment['amount']}")
    invoice = job.until(
        lambda: job.client.get(f"/v1/invoices/{payment['invoice_id']}"),
        lambda found: found["amount_refunded"] == payment["amount"],
    )
    job.expect(invoice["amount_refunded"] == payment["amount"], "refund: the invoice does not show it")
    when = job.moment(REFUND_MONTH, 18)
    job.tell("refund", when, f"{money(made['amount'], made['currency'])} of {invoice['number']} given back")


def cancel(job: Job) -> None:
    member = job.member("cancellation")
    answer = job.post(f"/v1/subscriptions/{member.subscription_id}/cancel", {"at_period_end": True}, "cancel")
    job.expect(answer["cancel_at_period_end"] is True, "cancellation: not marked to end with the period")
    when = job.moment(CANCEL_MONTH, 25)
    job.tell("cancellation", when, f"canceled for the end of the period, {answer['current_period_end'][:10]}")


DECIMALS = {"JPY": 0, "KWD": 3}


def money(amount: int, currency: str) -> str:
    digits = DECIMALS.get(currency, 2)
    sign, whole = ("-" if amount < 0 else ""), str(abs(amount)).rjust(digits + 1, "0")
    return f"{sign}{whole[:-digits]}.{whole[-digits:]} {currency}" if digits else f"{sign}{whole} {currency}"
