"""How instants and dates in the bodies of transfers are read."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from service.gate.transfer_models import AsOf
from service.gate.values import Moment

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-24T10:00:00Z", TEN),
        ("2026-11-24t10:00:00z", TEN),
        ("2026-11-24T10:00:00.000000999Z", TEN),
        ("2026-11-24T00:30:00-09:30", TEN),
    ],
)
def test_instants_of_rfc_3339_are_read(text: str, instant: datetime) -> None:
    assert TypeAdapter(Moment).validate_python(text) == instant
    assert TypeAdapter(AsOf).validate_python(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        "20261124T10+00",
        "2026-W48-2T10:00:00Z",
        "2026-11-24 10:00:00Z",
        "2026-11-24x10:00:00Z",
        "2026-11-24T10Z",
        "2026-11-24T10:00:00,5Z",
        "2026-11-24T10:00:00+00:00:01",
        "2026-11-24T10:00:00",
        "2026-02-29T10:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1899-12-31T23:59:59Z",
        1_790_000_000,
    ],
)
def test_other_forms_of_instants_are_refused(text: Any) -> None:
    for kind in (Moment, AsOf):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(text)


def test_previews_ask_about_civil_dates() -> None:
    assert TypeAdapter(AsOf).validate_python("2024-02-29") == date(2024, 2, 29)


@pytest.mark.parametrize("text", ["20261124", "2026-W48-2", "2026-02-29", "1899-12-31", "2026-11-24\n"])
def test_other_forms_of_dates_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AsOf).validate_python(text)
