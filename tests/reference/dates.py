"""Civil dates as the conventions of the rule book count them."""

import calendar
from datetime import date, timedelta


def add_months(day: date, months: int) -> date:
    """Return the same day of the month ``months`` later (earlier if negative), clamped to the month's end."""
    years, month_index = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month_index + 1, min(day.day, calendar.monthrange(years, month_index + 1)[1]))


def add_days(day: date, days: int) -> date:
    return day + timedelta(days=days)


def has_elapsed(start: date, months: int, today: date, boundary: str) -> bool:
    """Tell whether a holding period is over; under ``day_after`` the anniversary itself is still inside."""
    anniversary = add_months(start, months)
    return today > anniversary if boundary == "day_after" else today >= anniversary
