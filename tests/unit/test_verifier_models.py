"""Dates and instants in the verifier's request bodies: what looks like one, and can be counted with, or nothing."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from service.verifier.models import CivilDate, Instant


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-23T12:00:00"])
def test_an_instant_that_utc_cannot_write_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Instant).validate_python(text)


def test_an_instant_is_kept_in_utc() -> None:
    read = TypeAdapter(Instant).validate_python("2026-11-23T12:00:00+02:00")
    assert (read, read.tzinfo) == (datetime(2026, 11, 23, 10, tzinfo=UTC), UTC)


@pytest.mark.parametrize("text", ["2026-W48-1", "20261123", "2026-11-23T00:00:00Z", "2026-02-30"])
def test_a_civil_date_has_one_form(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(CivilDate).validate_json(f'"{text}"')
