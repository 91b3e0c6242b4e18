"""Civil-date arithmetic: rules.yaml, conventions.add_months."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rules.dates import add_months, first_day_after_elapsed


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        (date(2026, 5, 31), 3, date(2026, 8, 31)),
        (date(2025, 11, 30), 3, date(2026, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2023, 11, 30), 3, date(2024, 2, 29)),
        (date(2026, 12, 15), -3, date(2026, 9, 15)),
        (date(2026, 1, 31), -2, date(2025, 11, 30)),
        (date(2025, 12, 1), 1, date(2026, 1, 1)),
    ],
)
def test_add_months_clamps_to_the_month_end(start: date, months: int, end: date) -> None:
    assert add_months(start, months) == end


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 240))
def test_add_months_is_monotone(day: date, months: int) -> None:
    assert day <= add_months(day, months) <= add_months(day, months + 1)


def test_boundary_moves_the_first_day() -> None:
    start = date(2026, 1, 10)
    assert first_day_after_elapsed(start, 6, boundary="anniversary_permits") == date(2026, 7, 10)
    assert first_day_after_elapsed(start, 6, boundary="day_after") == date(2026, 7, 11)
