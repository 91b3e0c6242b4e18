"""Small choices that the strategies share: dates around a period's end, values that are mostly one."""

from collections.abc import Callable
from datetime import date
from typing import Any

from tests.reference.dates import add_days, add_months

Given = dict[str, Any]
AWKWARD_DAYS = [
    date(2026, 6, 15), date(2026, 8, 30), date(2026, 8, 31), date(2028, 2, 29), date(2027, 2, 28), date(2027, 3, 1),
    date(2026, 5, 31), date(2026, 11, 30), date(2026, 12, 31), date(2027, 1, 1),
]  # fmt: skip
EARLIER_LAW = [date(2020, 6, 1), date(2021, 3, 14), date(2021, 3, 15), date(2022, 9, 19), date(2022, 9, 20)]
NEW_LAW = [
    date(2026, 1, 18),
    date(2026, 1, 19),
    date(2026, 6, 4),
    date(2026, 6, 5),
    date(2025, 3, 11),
    date(2025, 3, 12),
]

SHIFTS = (0, -1, 1, -2, 2)
FIRST_DAY, DAYS = date(2026, 6, 5), 940  # about two years and a half, a leap day among them

Choose = Callable[[int], int]


def make_chooser(content: bytes) -> Choose:
    """Return a function that takes an index below its argument off ``content``: zero once that is used up.

    One draw of bytes is many times faster than a draw per fact, and zeros still shrink to the plainest facts.
    """
    rest = iter(content)

    def choose(count: int) -> int:
        return (next(rest, 0) * 256 + next(rest, 0)) % count if count > 256 else next(rest, 0) % count

    return choose


def choose_day(choose: Choose) -> date:
    """Return a trade date, often one at which months clamp or the law changes."""
    if flip(choose):
        return add_days(FIRST_DAY, choose(DAYS))
    day: date = pick(choose, *AWKWARD_DAYS, *AWKWARD_DAYS, *NEW_LAW, *EARLIER_LAW)
    return day


def pick(choose: Choose, *values: Any) -> Any:
    return values[choose(len(values))]


def flip(choose: Choose) -> bool:
    return bool(choose(2))


def mostly(choose: Choose, usual: Any, *others: Any, weight: int = 4) -> Any:
    position = choose((weight + 1) * len(others)) - weight * len(others)
    return others[position] if position >= 0 else usual


def ago(choose: Choose, today: date, *, months: tuple[int, ...] = (), days: tuple[int, ...] = ()) -> str:
    """Return a day that lies one of the periods before ``today``, give or take two days."""
    ends = [add_months(today, -count) for count in months] + [add_days(today, -count) for count in days]
    end: date = pick(choose, *ends)
    return add_days(end, pick(choose, *SHIFTS)).isoformat()


def around(choose: Choose, *lines: int, least: int = 0) -> int:
    """Return a count at, just below or just above one of the lines."""
    return max(least, int(pick(choose, *lines)) + int(pick(choose, *SHIFTS)))


def listed(choose: Choose, entry: Any, most: int) -> list[Any]:
    return [entry() for _ in range(choose(most + 1))]
