"""Civil-date arithmetic of the rules. No time zones here: a rule's dates are civil dates of its own zone."""

import calendar
from datetime import date, timedelta


def add_months(day: date, months: int) -> date:
    """Return the same day of the month ``months`` later (earlier if negative), clamped to the month's end.

    ``2026-05-31`` plus 3 is ``2026-08-31``; ``2025-11-30`` plus 3 is ``2026-02-28``.

    Source: rules.yaml, conventions.add_months.
    """
    years, month0 = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month0 + 1
    try:
        return date(year, month, day.day)
    except ValueError:
        return date(year, month, calendar.monthrange(year, month)[1])


def add_days(day: date, days: int) -> date:
    """Return the civil date ``days`` later."""
    return day + timedelta(days=days)


def first_day_after_elapsed(start: date, months: int, *, boundary: str) -> date:
    """Return the first day on which a period of ``months`` that began on ``start`` has elapsed.

    Args:
        start: Day on which the period begins.
        months: Length of the period in calendar months.
        boundary: ``anniversary_permits`` (the anniversary itself counts as elapsed) or ``day_after``.
    """
    anniversary = add_months(start, months)
    return add_days(anniversary, 1) if boundary == "day_after" else anniversary


def first_day_outside(day: date, months: int) -> date:
    """Return the first day whose look-back of ``months``, both ends included, no longer reaches ``day``.

    Not always the day after the anniversary: the look-backs of 2026-05-29, 05-30 and 05-31 over three months all end on
    2026-02-28.
    """
    following = day + timedelta(days=1)
    reached = add_months(following, months)
    return reached if reached.day == following.day else reached + timedelta(days=1)
