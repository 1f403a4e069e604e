"""Tables of what happened in the main job."""

from __future__ import annotations

from datetime import datetime, timedelta

from . import expected
from .client import JSON
from .job import Job
from .stories import DECIMALS
from .verify import amounts


def months(job: Job, invoices: dict[str, list[JSON]], payments: dict[str, list[JSON]]) -> str:
    """A row a month: this run's invoices and payments, and the whole business's recurring revenue."""
    summaries = [job.client.get("/v1/analytics/summary", at=_text(job.month_end(m))) for m in range(expected.MONTHS)]
    currencies = sorted({currency for summary in summaries for currency in amounts(summary)})
    every_invoice = [invoice for mine in invoices.values() for invoice in mine]
    every_payment = [payment for mine in payments.values() for payment in mine]
    rows = [["MONTH", "INVOICES", "PAID", "FAILED", "REFUNDS", "ACTIVE", *(f"MRR {c}" for c in currencies)]]
    for month, summary in enumerate(summaries):
        name = f"{job.month_end(month) - timedelta(days=1):%Y-%m}"
        failed = sum(failed_attempts(p) for p in every_payment if p["created_at"].startswith(name))
        rows.append(
            [
                name,
                str(sum((i["issued_at"] or "").startswith(name) for i in every_invoice)),
                str(sum((i["paid_at"] or "").startswith(name) for i in every_invoice)),
                str(failed),
                str(sum(r["created_at"].startswith(name) for r in job.refunds)),
                str(summary["active_subscriptions"]),
                *(_plain(amounts(summary).get(currency, 0), currency) for currency in currencies),
            ]
        )
    total = ["all", *(str(sum(int(row[n]) for row in rows[1:])) for n in range(1, 5)), *[""] * (len(currencies) + 1)]
    return table([*rows, total])


def stories(job: Job) -> str:
    lines = []
    for story, told in job.story_lines.items():
        lines.append(f"{story}: {job.member(story).person.name} ({job.member(story).customer_id})")
        lines += [f"    {line}" for line in told]
    return "\n".join(lines)


def success_rate(job: Job) -> str:
    rate = job.client.get("/v1/analytics/summary")["payment_success_rate"]
    first, after = rate["first_attempt"], rate["after_retries"]
    return f"payment success rate: {first} at the first attempt, {after} after retries ({rate['payments']} payments)"


def failed_attempts(payment: JSON) -> int:
    return int(payment["attempts"]) - (1 if payment["status"] == "succeeded" else 0)


def table(rows: list[list[str]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


def _plain(amount: int, currency: str) -> str:
    digits = DECIMALS.get(currency, 2)
    return f"{amount / 10**digits:.{digits}f}" if digits else str(amount)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
