"""The answer that is written around a signed decision is the one that would be built from its members."""

import json
from typing import Any

import pytest

from service.credentials.canonical import write_canonical
from service.gate.decisions import SignedDecision, write_answer

PENDING = {"state": "pending", "index": None}


@pytest.mark.parametrize("venue", ["Main Street", 'a "reservation":{ of ours', "\\", 'Bör"se\u2028'])
@pytest.mark.parametrize("promised", [None, {"expires_at": "2026-11-23T15:01:00.000Z"}])
@pytest.mark.parametrize("state", ["held", "settled", None])
def test_only_the_reservation_gets_its_state(venue: str, promised: dict[str, Any] | None, state: str | None) -> None:
    payload = {"aud": [venue], "outcome": "permit", "reservation": promised, "venue": venue}
    signed = SignedDecision(write_canonical(payload), "sha256:00", "e30.e30.e30")
    written = write_answer(signed, reservation_state=state, log=PENDING)
    expected = payload | {"decision_hash": "sha256:00", "decision": "e30.e30.e30", "log": PENDING}
    if promised is not None:
        expected["reservation"] = {"state": state, **promised}
    assert json.loads(written) == expected
    assert written == json.dumps(expected, ensure_ascii=False, separators=(",", ":"))
