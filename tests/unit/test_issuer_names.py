"""Names of issuers in a form that can be compared, and for which jurisdictions they are believed."""

import tracemalloc
from datetime import date
from typing import Any

import pytest

from service.storage.trust import TrustedIssuerRow, is_trusted, jurisdiction_of, normalize_issuer


@pytest.mark.parametrize("prefix", ["https://issuer.example/", "did:web:issuer.example:", "anything "])
def test_long_names_of_attackers_do_not_stay_in_memory(prefix: str) -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            name = f"{prefix}{number}{'x' * 45_000}"
            assert normalize_issuer(name) == name
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def judge(credential_type: str, claims: dict[str, Any], *jurisdictions: str) -> str | None:
    issuer = "https://issuer.example"
    row = TrustedIssuerRow("org", "one", issuer, [credential_type], list(jurisdictions), None, None, None, None, None)
    verdict = is_trusted(
        row,
        issuer=issuer,
        credential_type=credential_type,
        jurisdiction=jurisdiction_of(credential_type, claims),
        attester_class=None,
        on=date(2026, 11, 23),
    )
    return verdict.code


@pytest.mark.parametrize(
    ("credential_type", "claims"),
    [
        ("kyc", {"country": "US"}),
        ("kyc", {"country": "GB"}),
        ("qualified-investor", {"jurisdiction": "US"}),
        ("investment-limit", {"regime": "us.reg_cf"}),
        ("aml-screening", {"result": "clear"}),
    ],
)
def test_a_jurisdiction_on_the_list_is_covered_and_a_screening_has_none(
    credential_type: str, claims: dict[str, Any]
) -> None:
    assert judge(credential_type, claims, "US", "UK") is None


@pytest.mark.parametrize(
    ("credential_type", "claim"),
    [("kyc", "country"), ("qualified-investor", "jurisdiction"), ("investment-limit", "regime")],
)
@pytest.mark.parametrize("value", [None, "", "SG", ["US"], {"US": "US"}, True])
def test_no_restriction_is_passed_by_hiding_what_it_is_about(credential_type: str, claim: str, value: Any) -> None:
    claims = {} if value is None else {claim: value}
    assert judge(credential_type, claims, "US") == "issuer_out_of_scope"
    assert judge(credential_type, claims) is None
