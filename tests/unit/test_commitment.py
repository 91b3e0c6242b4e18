"""What the log shows of a record."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from service.credentials.commitment import CommitmentError, build_log_record, commit_to_record, verify_commitment

NONCE = bytes(range(32))


def make_record(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "org_id": "org_1",
        "entry_id": "aud_1",
        "kind": "transfer.decided",
        "subject_id": "trf_1",
        "recorded_at": datetime(2026, 11, 23, 15, 0, tzinfo=UTC),
        "record": {"b": 1, "a": "x"},
    }
    return build_log_record(**(known | changes))


def test_a_commitment_is_the_hash_of_nonce_and_canonical_record() -> None:
    canonical = (
        b'{"id":"aud_1","kind":"transfer.decided","org_id":"org_1","record":{"a":"x","b":1},'
        b'"recorded_at":"2026-11-23T15:00:00.000000Z","subject_id":"trf_1","version":1}'
    )
    assert commit_to_record(NONCE, make_record()) == hashlib.sha256(NONCE + canonical).digest()


def test_an_instant_has_one_form_in_every_zone() -> None:
    zone = timezone(timedelta(hours=8))
    assert make_record(recorded_at=datetime(2026, 11, 23, 23, 0, tzinfo=zone)) == make_record()


@pytest.mark.parametrize(
    "changes",
    [
        {"org_id": "org_2"},
        {"entry_id": "aud_2"},
        {"kind": "transfer.settled"},
        {"subject_id": "trf_2"},
        {"recorded_at": datetime(2026, 11, 23, 15, 0, 0, 1, tzinfo=UTC)},
        {"record": {"b": 2, "a": "x"}},
    ],
)
def test_every_member_is_committed_to(changes: dict[str, Any]) -> None:
    commitment = commit_to_record(NONCE, make_record())
    verify_commitment(NONCE, make_record(), expected_commitment=commitment)
    with pytest.raises(CommitmentError):
        verify_commitment(NONCE, make_record(**changes), expected_commitment=commitment)


@pytest.mark.parametrize("nonce", [b"", NONCE[:-1], NONCE + b"{", bytes(32)])
def test_only_the_nonce_of_the_record_opens_it(nonce: bytes) -> None:
    with pytest.raises(CommitmentError):
        verify_commitment(nonce, make_record(), expected_commitment=commit_to_record(NONCE, make_record()))


def test_a_record_without_a_canonical_form_opens_nothing() -> None:
    with pytest.raises(CommitmentError, match="canonical"):
        verify_commitment(NONCE, {"record": 2**80}, expected_commitment=bytes(32))
