"""The lint of claims before issuance: form, dates, text."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.claims_lint import MAX_FINDINGS, lint_claims, parse_date, parse_instant
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.schema_files import load_claims_schema

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)

PERSON: dict[str, Any] = {
    "given_name": "Ada",
    "family_name": "Moreau",
    "birthdate": "1984-02-29",
    "age_over_18": True,
    "nationality": "FR",
    "country": "US",
    "state": "NY",
    "address": {"street_address": "1 Main St", "locality": "Albany", "postal_code": "12207", "country": "US"},
    "id_number": "X123",
    "id_type": "passport",
    "us_person": True,
    "loa": "substantial",
    "verified_on": "2026-11-20",
    "trust_framework": "us_cip",
}
ENTITY: dict[str, Any] = {
    "legal_name": "Example Holdings Ltd",
    "lei": "5493001KJTIIGC8Y1R12",
    "beneficial_owners_complete": True,
    "owners_identified_at": "2026-10-01T09:00:00Z",
    "country": "HK",
    "us_person": False,
    "loa": "high",
}
SCREENING = {
    "result": "clear",
    "screened_at": "2026-11-22T14:00:00.5Z",
    "lists": ["ofac_sdn@2026-11-20", "un_sc@2026-11-19"],
    "pep": False,
    "edd_done": False,
}
INVESTOR: dict[str, Any] = {
    "jurisdiction": "US",
    "category": "us.ai.net_worth",
    "method": "third_party",
    "attester_class": "us_cpa",
    "attester_register_id": "CPA-1",
    "steps_completed_on": "2026-11-01",
    "joint": False,
    "scope": "https://issuer.example",
    "rules_version": "2026.1",
    "valid_until": "2027-01-30",
}
LIMIT = {"regime": "us.reg_cf", "limit_at_least": "12400.00", "currency": "USD", "as_of": "2026-11-22"}
GOOD: dict[str, dict[str, Any]] = {
    "kyc": PERSON,
    "aml-screening": SCREENING,
    "qualified-investor": INVESTOR,
    "investment-limit": LIMIT,
}
METHOD_FACTS: dict[str, dict[str, Any]] = {
    "third_party": {"steps_completed_on": "2026-11-01"},
    "income_review": {"tax_years": [2024, 2025], "current_year_representation": True},
    "net_worth_review": {
        "oldest_document_on": "2026-10-01",
        "consumer_report": False,
        "liabilities_representation": True,
    },
    "prior_verified": {"verified_on": "2023-01-15"},
    "min_investment": {},
}


def lint(name: str, claims: dict[str, Any], *, now: datetime = NOW, attester_class: str | None = "us_cpa") -> list[str]:
    """Return the paths of the findings, after checking that none repeats a value."""
    findings = lint_claims(name, claims, schema=load_claims_schema(name), now=now, attester_class=attester_class)
    told = " ".join(finding.detail for finding in findings)
    assert not any(isinstance(value, str) and len(value) > 4 and value in told for value in claims.values())
    return [finding.path for finding in findings]


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        *GOOD.items(),
        ("kyc", ENTITY),
        ("kyc", {"country": "SG", "loa": "low"}),
        ("kyc", {**PERSON, "address": "1 Main St, Albany"}),
        ("kyc", {**PERSON, "given_name": "<script>alert(1)</script>", "family_name": "محمد"}),
        ("kyc", {**ENTITY, "owners_identified_at": "2026-10-01"}),
        ("investment-limit", {**LIMIT, "regime": "eu.ecspr", "currency": "EUR"}),
    ],
)
def test_good_claims_pass(name: str, claims: dict[str, Any]) -> None:
    assert lint(name, claims) == []


@pytest.mark.parametrize("method", METHOD_FACTS)
def test_each_method_needs_its_facts_and_no_others(method: str) -> None:
    bare = {"jurisdiction": "US", "category": "us.ai.income", "attester_class": "us_cpa", "method": method}
    facts = METHOD_FACTS[method]
    assert lint("qualified-investor", {**bare, **facts}) == []
    for fact in facts:
        rest = {name: value for name, value in facts.items() if name != fact}
        assert lint("qualified-investor", {**bare, **rest}) == [f"/{fact}"]


@pytest.mark.parametrize(
    ("jurisdiction", "category"),
    [
        *(("US", "us.ai.income"), ("US", "us.qib"), ("HK", "hk.pi.individual"), ("SG", "sg.ai.individual")),
        *(("EU", "eu.pro.elective"), ("UK", "uk.fpo48.hnw"), ("GB", "uk.fpo48.hnw"), ("MY", "lbn.offer_8_5")),
    ],
)
def test_categories_of_each_jurisdiction(jurisdiction: str, category: str) -> None:
    claims = {"jurisdiction": jurisdiction, "category": category, "attester_class": "us_cpa"}
    assert lint("qualified-investor", claims) == []


@pytest.mark.parametrize(
    ("name", "change", "path"),
    [
        ("kyc", {"sub": "anything"}, "/sub"),
        ("kyc", {"nickname": "A"}, "/nickname"),
        ("kyc", {"an address with spaces": "A"}, ""),
        ("kyc", {"nationality": "UK"}, "/nationality"),
        ("kyc", {"nationality": "us"}, "/nationality"),
        ("kyc", {"nationality": "XX"}, "/nationality"),
        ("kyc", {"state": "ZZ"}, "/state"),
        ("kyc", {"country": "FR"}, "/state"),
        ("kyc", {"loa": "IAL2"}, "/loa"),
        ("kyc", {"birthdate": "1984-02-30"}, "/birthdate"),
        ("kyc", {"birthdate": "19840229"}, "/birthdate"),
        ("kyc", {"birthdate": "1984-W09-3"}, "/birthdate"),
        ("kyc", {"birthdate": "1899-12-31"}, "/birthdate"),
        ("kyc", {"birthdate": "1984-02-29\n"}, "/birthdate"),
        ("kyc", {"birthdate": "2026-11-23", "age_over_18": False}, "/birthdate"),
        ("kyc", {"age_over_18": False}, "/age_over_18"),
        ("kyc", {"birthdate": "2008-11-23"}, "/age_over_18"),
        ("kyc", {"age_over_18": "true"}, "/age_over_18"),
        ("kyc", {"verified_on": "2026-11-23"}, "/verified_on"),
        ("kyc", {"given_name": ""}, "/given_name"),
        ("kyc", {"given_name": None}, "/given_name"),
        ("kyc", {"given_name": ["Ada"]}, "/given_name"),
        ("kyc", {"given_name": "A" * 201}, "/given_name"),
        ("kyc", {"given_name": "Ada\u202egnp.exe"}, "/given_name"),
        ("kyc", {"given_name": "Ada\u2066"}, "/given_name"),
        ("kyc", {"given_name": "Ada\u200f"}, "/given_name"),
        ("kyc", {"given_name": "Ada\x00"}, "/given_name"),
        ("kyc", {"given_name": "Ada\u2028"}, "/given_name"),
        ("kyc", {"given_name": "Ada\ud800"}, "/given_name"),
        ("kyc", {"address": {"locality": "Al\u202ebany"}}, "/address/locality"),
        ("kyc", {"address": {"locality": "A" * 201}}, "/address/locality"),
        ("kyc", {"address": {"planet": "Mars"}}, "/address/planet"),
        ("kyc", {"address": {}}, "/address"),
        ("aml-screening", {"screened_at": "2026-11-22T15:02:00Z"}, "/screened_at"),
        ("aml-screening", {"screened_at": "2026-11-22"}, "/screened_at"),
        ("aml-screening", {"screened_at": "2026-11-22T14:00:00"}, "/screened_at"),
        ("aml-screening", {"screened_at": "2026-11-22T22:00:00+08:00"}, "/screened_at"),
        ("aml-screening", {"screened_at": "2026-11-22 14:00:00Z"}, "/screened_at"),
        ("aml-screening", {"screened_at": "2026-11-22T24:00:00Z"}, "/screened_at"),
        ("aml-screening", {"lists": ["ofac_sdn"]}, "/lists/0"),
        ("aml-screening", {"lists": []}, "/lists"),
        ("aml-screening", {"lists": ["a@1", "a@1"]}, "/lists"),
        ("aml-screening", {"result": "ok"}, "/result"),
        ("qualified-investor", {"valid_until": "2027-02-29"}, "/valid_until"),
        ("qualified-investor", {"jurisdiction": "HK"}, "/category"),
        ("qualified-investor", {"jurisdiction": "FR"}, "/jurisdiction"),
        ("qualified-investor", {"category": "us.qib"}, "/method"),
        ("qualified-investor", {"method": "lottery"}, "/method"),
        ("qualified-investor", {"attester_class": "us_attorney"}, "/attester_class"),
        ("qualified-investor", {"steps_completed_on": "2026-11-23"}, "/steps_completed_on"),
        ("qualified-investor", {"oldest_document_on": "2026-11-23"}, "/oldest_document_on"),
        ("qualified-investor", {"verified_on": "2027-01-01"}, "/verified_on"),
        ("qualified-investor", {"valid_until": "2026-11-21"}, "/valid_until"),
        ("qualified-investor", {"tax_years": [2027]}, "/tax_years/0"),
        ("qualified-investor", {"tax_years": [2025, 2024.0]}, "/tax_years/1"),
        ("qualified-investor", {"tax_years": ["2024"]}, "/tax_years/0"),
        ("qualified-investor", {"tax_years": [True]}, "/tax_years/0"),
        ("qualified-investor", {"tax_years": [24]}, "/tax_years/0"),
        ("qualified-investor", {"net_worth": "5000000"}, "/net_worth"),
        ("investment-limit", {"limit_at_least": 12400}, "/limit_at_least"),
        ("investment-limit", {"limit_at_least": "1e4"}, "/limit_at_least"),
        ("investment-limit", {"limit_at_least": "-1"}, "/limit_at_least"),
        ("investment-limit", {"limit_at_least": "012"}, "/limit_at_least"),
        ("investment-limit", {"limit_at_least": "١٢"}, "/limit_at_least"),
        ("investment-limit", {"limit_at_least": "12400\n"}, "/limit_at_least"),
        ("investment-limit", {"currency": "EUR"}, "/currency"),
        ("investment-limit", {"regime": "us.506c"}, "/regime"),
        ("investment-limit", {"as_of": "2026-11-23"}, "/as_of"),
    ],
)
def test_each_fault_is_found_where_it_is(name: str, change: dict[str, Any], path: str) -> None:
    assert set(lint(name, {**GOOD[name], **change})) == {path}


@pytest.mark.parametrize("claim", ["given_name", "family_name", "birthdate", "age_over_18", "nationality"])
def test_an_entity_has_no_claims_of_a_person(claim: str) -> None:
    assert lint("kyc", {**ENTITY, claim: PERSON[claim]}) == [f"/{claim}"]


def test_an_entity_has_a_legal_name() -> None:
    assert lint("kyc", {"country": "HK", "loa": "high", "lei": ENTITY["lei"]}) == ["/legal_name"]


@pytest.mark.parametrize("lei", ["5493001KJTIIGC8Y1R13", "5493001KJTIIGC8Y1R1", "5493001kjtiigc8y1r12"])
def test_lei_form_and_check_digits(lei: str) -> None:
    assert lint("kyc", {**ENTITY, "lei": lei}) == ["/lei"]


# A letter counts as two digits, so only the exchange of a digit for a digit is sure to be found.
@given(
    st.sampled_from([at for at, sign in enumerate(str(ENTITY["lei"])) if sign.isdigit()]), st.sampled_from("0123456789")
)
def test_one_wrong_digit_in_a_lei_is_found(position: int, digit: str) -> None:
    lei = str(ENTITY["lei"])
    changed = lei[:position] + digit + lei[position + 1 :]
    assert bool(lint("kyc", {**ENTITY, "lei": changed})) == (changed != lei)


@pytest.mark.parametrize(("name", "claim"), [("kyc", "country"), ("kyc", "loa"), ("aml-screening", "result")])
def test_required_claims(name: str, claim: str) -> None:
    rest = {member: value for member, value in GOOD[name].items() if member not in {claim, "state"}}
    assert lint(name, rest) == [f"/{claim}"]


@pytest.mark.parametrize(
    ("jurisdiction", "category", "now", "accepted"),
    [
        ("HK", "hk.pi.individual", "2026-11-22T15:59:59", False),
        ("HK", "hk.pi.individual", "2026-11-22T16:00:00", True),
        ("US", "us.ai.income", "2026-11-23T04:59:59", False),
        ("US", "us.ai.income", "2026-11-23T05:00:00", True),
        ("EU", "eu.qi", "2026-11-22T22:59:59", False),
        ("EU", "eu.qi", "2026-11-22T23:00:00", True),
    ],
)
def test_today_begins_in_the_rules_zone(jurisdiction: str, category: str, now: str, accepted: bool) -> None:
    claims = {
        "jurisdiction": jurisdiction,
        "category": category,
        "attester_class": "us_cpa",
        "verified_on": "2026-11-23",
    }
    found = lint("qualified-investor", claims, now=datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert (found == []) is accepted


@pytest.mark.parametrize("category", ["us.506c.method_A", "us.person.reg_x", "hk.pi.individual", ""])
def test_a_category_that_the_jurisdiction_does_not_know(category: str) -> None:
    claims = {"jurisdiction": "US", "category": category, "attester_class": "us_cpa"}
    assert set(lint("qualified-investor", claims)) == {"/category"}


def test_valid_until_may_be_today() -> None:
    assert lint("qualified-investor", {**INVESTOR, "valid_until": "2026-11-22"}) == []


def test_a_clock_that_is_a_little_ahead_is_tolerated() -> None:
    assert lint("aml-screening", {**SCREENING, "screened_at": "2026-11-22T15:01:00Z"}) == []
    assert lint("aml-screening", {**SCREENING, "screened_at": "2026-11-22T15:01:01Z"}) == ["/screened_at"]


def test_an_eighteenth_birthday_counts_on_the_day() -> None:
    assert lint("kyc", {**PERSON, "birthdate": "2008-11-22"}) == []


@pytest.mark.parametrize("organisation", [None, "us_attorney"])
def test_a_sent_attester_class_is_the_organisations(organisation: str | None) -> None:
    assert lint("qualified-investor", INVESTOR, attester_class=organisation) == ["/attester_class"]


def test_a_missing_attester_class_is_found() -> None:
    rest = {member: value for member, value in INVESTOR.items() if member != "attester_class"}
    assert lint("qualified-investor", rest, attester_class=None) == ["/attester_class"]


def test_findings_hold_no_text_of_the_caller() -> None:
    canary = "canary-Zx81 with space"
    claims = dict.fromkeys(CREDENTIAL_TYPES["kyc"].claims, canary) | {canary: canary}
    findings = lint_claims("kyc", claims, schema=load_claims_schema("kyc"), now=NOW)
    assert findings
    assert "canary" not in json.dumps([finding.to_json() for finding in findings])


def test_findings_are_capped() -> None:
    claims = {**PERSON, **{f"x{number}": 1 for number in range(10_000)}}
    assert len(lint_claims("kyc", claims, schema=load_claims_schema("kyc"), now=NOW)) == MAX_FINDINGS


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_no_json_value_breaks_the_lint(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(CREDENTIAL_TYPES)))
    claim = data.draw(st.sampled_from(CREDENTIAL_TYPES[name].claims))
    lint_claims(name, {**GOOD[name], claim: data.draw(json_values)}, schema=load_claims_schema(name), now=NOW)


@given(st.text() | st.from_regex(r"\d{4}-\d{2}-\d{2}", fullmatch=True))
def test_a_date_has_one_spelling(text: str) -> None:
    try:
        day = parse_date(text)
    except ValueError:
        return
    assert day.isoformat() == text


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_in_utc_is_read_back(instant: datetime) -> None:
    assert parse_instant(instant.isoformat()) == instant
