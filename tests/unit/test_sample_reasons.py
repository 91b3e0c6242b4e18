"""What the sample platform tells an investor to do about a reason."""

import pytest

from service.demo.platform.pages import Pages
from service.demo.platform.sessions import Session


@pytest.mark.parametrize(("language", "asks"), [("en", "only its issuer can add it"), ("zh", "只有签发机构能够补充")])
def test_what_no_credential_says_is_asked_of_its_issuer(language: str, asks: str) -> None:
    reason = {
        "code": "INPUT_MISSING",
        "basis": "firm_policy",
        "citation": "17 CFR 230.506(c)",
        "message": "A fact that a rule needs is missing.",
        "evidence": {"field": "buyer.us_person"},
        "remedy": {"kind": "present", "purpose": "us.506c"},
    }
    decision = {"id": "trf_1", "outcome": "deny", "decided_at": "2026-11-23T15:00:00Z", "reasons": [reason]}
    text = bytes(Pages("http://localhost:8000").decision(Session(language), decision).body).decode()
    assert asks in text
    assert "us_person" in text
    assert "stricter than the law" not in text


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "<li>Your units carry a note that restricts their resale.</li>"),
        ("zh", "<li>您的份额附有限制转售的说明。</li>"),
    ],
)
def test_what_a_permit_asks_is_said_in_the_language_of_the_page(language: str, says: str) -> None:
    duties = [{"code": "OBL_LEGEND", "message": "Keep it."}, {"code": "OBL_OTHER", "message": "Do it."}]
    decision = {
        "id": "trf_1",
        "outcome": "permit",
        "decided_at": "2026-11-23T15:00:00Z",
        "inputs_sha256": "sha256:0",
        "versions": {"rules": "1"},
        "reasons": [],
        "obligations": duties,
        "reservation": {"state": "held", "expires_at": "2026-11-23T16:00:00Z"},
    }
    text = bytes(Pages("http://localhost:8000").decision(Session(language), decision).body).decode()
    assert says in text
    assert '<li lang="en">Do it.</li>' in text
