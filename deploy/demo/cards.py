"""Test cards of the sandbox provider, in Stripe's numbering."""

from __future__ import annotations

import secrets

GOOD = "4242424242424242"
INSUFFICIENT_FUNDS = "4000000000009995"
AUTHENTICATION_REQUIRED = "4000002500003155"
FAILS_ON_CHARGE = "4000000000000341"


def good_card() -> str:
    """A card that works and that nobody else has: risk rules count attempts by card."""
    digits = "424242" + "".join(secrets.choice("0123456789") for _ in range(9))
    return digits + check_digit(digits)


def check_digit(digits: str) -> str:
    """The Luhn digit that completes a number."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
