"""The demo catalog and the thirty customers of the main job."""

from __future__ import annotations

from dataclasses import dataclass

from .client import Client, JSON


@dataclass(frozen=True)
class Plan:
    id: str
    name: str
    amount: int
    currency: str
    interval: str = "month"

    @property
    def months(self) -> int:
        return 12 if self.interval == "year" else 1


PLANS: dict[str, Plan] = {
    plan.id: plan
    for plan in (
        Plan("premium_monthly", "Premium", 999, "USD"),
        Plan("family_monthly", "Family", 1599, "USD"),
        Plan("premium_yearly", "Premium, a year", 9900, "USD", "year"),
        Plan("premium_monthly_eur", "Premium", 999, "EUR"),
        Plan("family_monthly_eur", "Family", 1599, "EUR"),
        Plan("premium_yearly_eur", "Premium, a year", 9900, "EUR", "year"),
        Plan("premium_monthly_gbp", "Premium", 899, "GBP"),
        Plan("premium_monthly_jpy", "Premium", 980, "JPY"),
        Plan("premium_monthly_brl", "Premium", 2190, "BRL"),
        Plan("premium_monthly_inr", "Premium", 11900, "INR"),
        Plan("premium_monthly_kwd", "Premium", 2750, "KWD"),
    )
}


@dataclass(frozen=True)
class Person:
    """Someone who signs up at noon UTC of a day in the first month."""

    name: str
    country: str
    time_zone: str
    plan: str
    day: int
    trial_days: int = 0
    story: str = ""


PEOPLE: tuple[Person, ...] = (
    Person("Ada Novak", "US", "America/New_York", "premium_monthly", 2),
    Person("Bao Tran", "US", "America/Los_Angeles", "premium_monthly", 2, trial_days=14),
    Person("Carla Meyer", "DE", "Europe/Berlin", "premium_monthly_eur", 2),
    Person("Dewi Putri", "US", "America/Chicago", "premium_monthly", 5, story="upgrade"),
    Person("Emil Larsen", "FR", "Europe/Paris", "premium_monthly_eur", 5),
    Person("Fumiko Sato", "JP", "Asia/Tokyo", "premium_monthly_jpy", 5),
    Person("George Hill", "GB", "Europe/London", "premium_monthly_gbp", 9, story="failing card"),
    Person("Hana Kim", "US", "America/Denver", "premium_yearly", 9),
    Person("Ines Costa", "BR", "America/Sao_Paulo", "premium_monthly_brl", 9),
    Person("Jamal Aziz", "KW", "Asia/Kuwait", "premium_monthly_kwd", 12),
    Person("Kavya Rao", "IN", "Asia/Kolkata", "premium_monthly_inr", 12),
    Person("Lena Fischer", "AT", "Europe/Vienna", "family_monthly_eur", 12, trial_days=30),
    Person("Marco Rossi", "IT", "Europe/Rome", "premium_monthly_eur", 14, story="refund"),
    Person("Nia Jones", "GB", "Europe/London", "premium_monthly_gbp", 14),
    Person("Oscar Silva", "BR", "America/Manaus", "premium_monthly_brl", 14, trial_days=7),
    Person("Priya Nair", "IN", "Asia/Kolkata", "premium_monthly_inr", 15, story="cancellation"),
    Person("Quinn Baker", "US", "Pacific/Honolulu", "premium_monthly", 15),
    Person("Rita Lopez", "ES", "Europe/Madrid", "premium_yearly_eur", 15),
    Person("Sven Berg", "FI", "Europe/Helsinki", "premium_monthly_eur", 20),
    Person("Tariq Omar", "KW", "Asia/Kuwait", "premium_monthly_kwd", 20),
    Person("Uma Patel", "US", "America/Phoenix", "family_monthly", 20),
    Person("Vera Popova", "PT", "Europe/Lisbon", "premium_monthly_eur", 24),
    Person("Wang Li", "JP", "Asia/Tokyo", "premium_monthly_jpy", 24, trial_days=14),
    Person("Xenia Wolf", "DE", "Europe/Berlin", "family_monthly_eur", 28),
    Person("Yusuf Kaya", "GB", "Europe/London", "premium_monthly_gbp", 28),
    Person("Zoe Martin", "FR", "Europe/Paris", "premium_monthly_eur", 29),
    Person("Aiko Mori", "JP", "Asia/Tokyo", "premium_monthly_jpy", 30),
    Person("Ben Carter", "US", "America/New_York", "premium_monthly", 30),
    Person("Chloe Dubois", "FR", "Europe/Paris", "family_monthly_eur", 31),
    Person("Dan Walker", "US", "America/Los_Angeles", "family_monthly", 31),
)


def load_catalog(client: Client) -> list[str]:
    """Makes the plans that are missing; returns their ids."""
    there = {plan["id"] for plan in client.list("/v1/plans")}
    made = [plan for plan in PLANS.values() if plan.id not in there]
    for plan in made:
        body: JSON = {
            "id": plan.id,
            "name": plan.name,
            "amount": plan.amount,
            "currency": plan.currency,
            "interval": plan.interval,
        }
        client.post("/v1/plans", body, key=f"demo-plan-{plan.id}")
    return [plan.id for plan in made]
