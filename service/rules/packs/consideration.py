"""What is paid in a transfer, and how many units an amount buys."""

import math
from decimal import Decimal

from service.rules.facts import Facts, Number


def read_consideration(facts: Facts) -> Number:
    """Return quantity times price."""
    return facts.number("qty") * facts.number("price")


def count_units_within(amount: Number, price: Number) -> int | None:
    """Return how many units an amount pays for; None where a unit costs nothing."""
    return math.floor(Decimal(amount) / price) if price > 0 else None


def count_units_reaching(amount: Number, price: Number) -> int:
    """Return the fewest units that cost at least an amount; a unit must cost something."""
    return math.ceil(Decimal(amount) / price)
