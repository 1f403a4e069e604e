"""What a year must bring, worked out from the calendar alone and not from what the services say."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta, timezone

from .catalog import PLANS, Person

MONTHS = 12
NOON = 12


def first_month(now: datetime) -> date:
    """The first of the next month that has 31 days, so that every anchor day exists in it."""
    month = add_months(now.date().replace(day=1), 1)
    while calendar.monthrange(month.year, month.month)[1] < 31:
        month = add_months(month, 1)
    return month


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day when it is shorter."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def at(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=timezone.utc)


def signed_up(person: Person, start: date) -> datetime:
    return at(start.replace(day=person.day), NOON)


def renewals(person: Person, start: date) -> list[date]:
    """The days on which a person who stays is billed, within the twelve months.

    A trial's last day is the anchor of what follows. Days are UTC; no anchor lies so near a month's end that the
    customer's own day would fall into another month.
    """
    anchor = signed_up(person, start).date() + timedelta(days=person.trial_days)
    end = add_months(start, MONTHS)
    step = PLANS[person.plan].months
    days = (add_months(anchor, step * n) for n in range(MONTHS + 1))
    return [day for day in days if day < end]


def monthly_value(plan_id: str) -> int:
    """What a plan adds to recurring revenue per month, in minor units, rounded half up."""
    plan = PLANS[plan_id]
    return (2 * plan.amount + plan.months) // (2 * plan.months)
