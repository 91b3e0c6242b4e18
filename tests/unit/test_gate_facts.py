"""From standings to the rules' facts: which screening counts, which status is told, what a caller cannot say."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from service.gate.bundle import name_places
from service.gate.fact_sheet import FactSheet, decode_facts, encode_facts
from service.gate.held_credentials import STATUS_ORDER, HeldCredential, worst_status
from service.gate.party_facts import Party, Question, last_valid_day, put_party
from service.gate.redaction import redact
from service.gate.transfer_models import PartyInTrade
from service.gate.values import price_per_unit
from service.gate.verdict import Verdict
from service.rules import REGIMES
from service.schema_files import load_reason_codes
from service.storage.statuses import StatusQuery, StatusReading

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
QUESTION = Question(
    now=NOW,
    on=date(2026, 11, 23),
    zone=ZoneInfo("America/New_York"),
    regime="us.506c",
    currency="USD",
    institutions=frozenset({"did:web:platform.example"}),
    asks_category="us.ai.",
    max_screen_age_hours=24,
)
CLAIMS: dict[str, dict[str, Any]] = {
    "kyc": {"country": "US", "us_person": True, "loa": "high"},
    "aml-screening": {"result": "clear", "screened_at": "2026-11-23T12:00:00Z"},
    "qualified-investor": {
        "jurisdiction": "US",
        "category": "us.ai.income",
        "method": "third_party",
        "attester_class": "us_cpa",
        "steps_completed_on": "2026-11-01",
    },
}


def held(kind: str, **changes: Any) -> HeldCredential:
    credential = HeldCredential(
        id=f"std_{kind}",
        type=kind,
        issuer="https://issuer.example",
        digest="sha256:00",
        claims=CLAIMS[kind],
        expires_at=NOW + timedelta(days=30),
        not_before=None,
        distrust=None,
        trusted_as=None,
        shares_holder=True,
        reading=StatusReading(0, False, NOW, "own"),
    )
    return replace(credential, **changes)


def party(*credentials: HeldCredential, **changes: Any) -> Party:
    values: dict[str, Any] = {"is_bound": True, "frozen": False, "screening": None} | changes
    return Party("alice", credentials=credentials, **values)


def facts_of(someone: Party, **changes: Any) -> dict[str, Any]:
    sheet = FactSheet()
    put_party(sheet, "buyer", someone, replace(QUESTION, **changes))
    facts: dict[str, Any] = sheet.values["buyer"]
    return facts


ALL = tuple(held(kind) for kind in CLAIMS)


def test_a_complete_standing_gives_every_fact() -> None:
    facts = facts_of(party(*ALL))
    assert facts["identified"]
    assert facts["credential_status"] == "valid"
    assert facts["accredited"]
    assert facts["screen_age_hours"] == 3
    assert facts["kyc_valid_until"] == date(2026, 12, 23)
    assert facts["verification"]["attester"] == "cpa"
    assert facts["verification"]["steps_completed_on"] == date(2026, 11, 1)


def test_nothing_is_known_of_a_stranger() -> None:
    facts = facts_of(Party("x", is_bound=False, frozen=False, screening=None, credentials=()))
    assert not facts["identified"]
    assert not facts["accredited"]
    assert not {"kyc_valid_until", "sanctions", "us_person", "country"} & facts.keys()


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("role", ["seller", "buyer", "pledgor"])
def test_the_rules_can_read_all_that_is_said_of_a_party_under_any_regime(role: str, regime: str) -> None:
    sheet = FactSheet()
    put_party(sheet, role, party(*ALL), replace(QUESTION, regime=regime))
    assert decode_facts(encode_facts(sheet.values)).keys() == {role}


@pytest.mark.parametrize("kind", ["kyc", "aml-screening", "qualified-investor"])
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"reading": StatusReading(1, False, NOW, "own")}, "revoked"),
        ({"reading": StatusReading(2, False, NOW, "own")}, "suspended"),
        ({"reading": StatusReading(3, False, NOW, "own")}, "unknown"),
        ({"reading": StatusReading(None, False, None, "unavailable", "status_unavailable")}, "unknown"),
        ({"expires_at": NOW}, "expired"),
        ({"not_before": NOW + timedelta(seconds=1)}, "not_yet_valid"),
        ({"distrust": "issuer_untrusted"}, "issuer_untrusted"),
        ({"distrust": "issuer_out_of_scope"}, "issuer_out_of_scope"),
        ({"shares_holder": False}, "holder_mismatch"),
    ],
)
def test_every_needed_credential_must_be_good(kind: str, change: dict[str, Any], status: str) -> None:
    credentials = [replace(each, **change) if each.type == kind else each for each in ALL]
    assert facts_of(party(*credentials))["credential_status"] == status


def qualified(category: str, **claims: Any) -> HeldCredential:
    jurisdiction = category.partition(".")[0].upper()
    return held("qualified-investor", claims={"jurisdiction": jurisdiction, "category": category, **claims})


@pytest.mark.parametrize(
    ("regime", "credential", "expected"),
    [
        (
            "hk.pi_only",
            qualified("hk.pi.institutional", oldest_document_on="2026-01-02"),
            {"hk_pi": True, "hk_pi_class": "institutional", "hk_pi_evidence_on": date(2026, 1, 2)},
        ),
        ("hk.pi_only", qualified("us.ai.income"), {"hk_pi": False}),
        ("sg.s275", qualified("sg.ai.individual", scope="any"), {"sg_class": "accredited"}),
        (
            "sg.s275",
            qualified("sg.ai.corporate", scope="did:web:platform.example"),
            {"sg_class": "accredited", "sg_opt_in": True},
        ),
        ("sg.s275", qualified("sg.institutional"), {"sg_class": "institutional"}),
        ("sg.s272b", qualified("hk.pi.individual"), {"sg_class": "retail"}),
        ("my.sophisticated", qualified("my.si.hnwi"), {"my_class": "sophisticated"}),
        ("my.sophisticated", qualified("us.qib"), {"my_class": "retail", "qib": True}),
        ("eu.pr_150", qualified("eu.pro.elective"), {"eu_qi": True, "sophisticated": False}),
        (
            "eu.ecspr",
            qualified("eu.ecspr.sophisticated", verified_on="2026-01-02"),
            {"eu_qi": False, "sophisticated": True, "sophisticated_approved_on": date(2026, 1, 2)},
        ),
        (
            "uk.fpo48",
            qualified("uk.fpo48.hnw", verified_on="2026-01-02"),
            {"uk_qi": False, "uk_statement": "hnw", "uk_statement_signed_on": date(2026, 1, 2)},
        ),
        ("us.reg_s", qualified("hk.pi.individual"), {"hk_pi": None, "accredited": False}),
    ],
)
def test_categories_become_the_facts_of_their_jurisdiction(
    regime: str, credential: HeldCredential, expected: dict[str, Any]
) -> None:
    facts = facts_of(party(*ALL[:2], credential), regime=regime, asks_category=None)
    assert {name: facts.get(name) for name in expected} == expected


def test_a_limit_counts_for_its_own_regime_and_currency_while_it_is_valid() -> None:
    claims = {"regime": "us.reg_cf", "limit_at_least": "2500.50", "currency": "USD", "as_of": "2026-11-01"}
    limit = replace(held("kyc"), type="investment-limit", claims=claims)
    assert facts_of(party(*ALL, limit), regime="us.reg_cf")["limit_at_least"] == Decimal("2500.50")
    for change in ({"regime": "us.reg_a_t2"}, {"currency": "EUR"}):
        assert "limit_at_least" not in facts_of(party(*ALL, limit), **{"regime": "us.reg_cf", **change})
    assert "limit_at_least" not in facts_of(party(*ALL, replace(limit, expires_at=NOW)), regime="us.reg_cf")


def test_a_broken_accreditation_that_is_not_needed_is_as_good_as_none() -> None:
    broken = held("qualified-investor", reading=StatusReading(1, False, NOW, "own"))
    facts = facts_of(party(*ALL[:2], broken), asks_category=None)
    assert (facts["credential_status"], facts["accredited"]) == ("valid", False)
    assert "verification" not in facts


@given(st.lists(st.sampled_from(STATUS_ORDER), min_size=1))
def test_the_worst_status_is_one_of_them_and_never_valid(statuses: list[str]) -> None:
    worst = worst_status([*statuses, "valid"])
    assert worst == min(statuses, key=STATUS_ORDER.index)


@pytest.mark.parametrize(
    ("expires_at", "day"),
    [
        ("2026-11-24T04:59:59Z", date(2026, 11, 23)),
        ("2026-11-24T05:00:00Z", date(2026, 11, 23)),
        ("2026-11-24T05:00:01Z", date(2026, 11, 24)),
    ],
)
def test_the_last_valid_day_is_the_zones(expires_at: str, day: date) -> None:
    assert last_valid_day(datetime.fromisoformat(expires_at), ZoneInfo("America/New_York")) == day


@pytest.mark.parametrize(
    ("own", "hours"), [("2026-11-22T15:00:00Z", "24.000"), ("2026-11-22T14:59:59Z", "24.001"), (None, None)]
)
def test_a_second_too_old_is_too_old(own: str | None, hours: str | None) -> None:
    screening = {"result": "clear", "screened_at": own} if own else None
    facts = facts_of(party(held("kyc"), screening=screening))
    assert facts.get("screen_age_hours") == (Decimal(hours) if hours else None)


@pytest.mark.parametrize(
    ("own", "credential", "result"),
    [
        (("clear", 1), ("hit", 2), "hit"),
        (("hit", 23), ("clear", 1), "hit"),
        (("hit", 25), ("clear", 1), "clear"),
        (("clear", 2), ("potential", 1), "potential"),
        (("potential", 1), ("clear", 2), "potential"),
    ],
)
def test_the_newest_screening_counts_unless_a_recent_hit(
    own: tuple[str, int], credential: tuple[str, int], result: str
) -> None:
    def stated(answer: tuple[str, int]) -> dict[str, Any]:
        return {"result": answer[0], "screened_at": (NOW - timedelta(hours=answer[1])).isoformat()}

    facts = facts_of(party(held("kyc"), held("aml-screening", claims=stated(credential)), screening=stated(own)))
    assert facts["sanctions"] == result


def screened(result: str, hours_ago: int, **changes: Any) -> HeldCredential:
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    return held("aml-screening", claims={"result": result, "screened_at": at, "pep": result != "clear"}, **changes)


@pytest.mark.parametrize(
    ("newest_first", "result"),
    [
        ((screened("clear", 20), screened("hit", 2)), "hit"),
        ((screened("clear", 1), screened("hit", 2)), "hit"),
        ((screened("clear", 1), screened("hit", 25)), "clear"),
        ((screened("clear", 20), screened("potential", 2)), "potential"),
        ((screened("clear", 1), screened("potential", 2)), "clear"),
    ],
)
def test_presenting_an_older_screening_again_hides_no_later_one(
    newest_first: tuple[HeldCredential, ...], result: str
) -> None:
    assert facts_of(party(held("kyc"), *newest_first))["sanctions"] == result


def test_an_older_screening_is_no_way_around_a_revoked_one_or_an_exposure() -> None:
    revoked = screened("potential", 2, reading=StatusReading(1, False, NOW, "own"))
    facts = facts_of(party(held("kyc"), screened("clear", 20), revoked, held("qualified-investor")))
    assert (facts["credential_status"], facts["pep"]) == ("revoked", True)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "noon", 5, None])
def test_a_screening_at_no_readable_instant_is_none(at: object) -> None:
    odd = held("aml-screening", claims={"result": "clear", "screened_at": at})
    assert "sanctions" not in facts_of(party(held("kyc"), odd))
    own = {"result": "clear", "screened_at": at}
    assert "sanctions" not in facts_of(party(held("kyc"), screening=own))


@pytest.mark.parametrize("result", ["CLEAR", True, None, ["clear"]])
def test_an_unknown_result_is_none(result: object) -> None:
    odd = held("aml-screening", claims=CLAIMS["aml-screening"] | {"result": result})
    assert "sanctions" not in facts_of(party(held("kyc"), odd))


def test_a_revoked_screening_credential_gives_way_to_the_platforms_own() -> None:
    revoked = held("aml-screening", reading=StatusReading(1, False, NOW, "own"))
    own = {"result": "clear", "screened_at": "2026-11-22T20:00:00Z"}
    facts = facts_of(party(held("kyc"), revoked, held("qualified-investor"), screening=own))
    assert (facts["credential_status"], facts["screen_age_hours"]) == ("valid", 19)


def test_hidden_claims_are_not_taken_for_claims_that_were_never_made() -> None:
    facts = facts_of(party(*ALL))
    assert not {"owners", "pep", "edd_done"} & facts.keys()
    assert facts["verification"]["scope"] == "not shown"


@pytest.mark.parametrize(
    ("kind", "shown", "fact", "value"),
    [
        ("kyc", {"age_over_18": True}, "owners", []),
        ("kyc", {"beneficial_owners_complete": True}, "owners", []),
        (
            "kyc",
            {"beneficial_owners_complete": False},
            "owners",
            [{"pct": Decimal(100), "identified": False, "blocked": False}],
        ),
        ("aml-screening", {"pep": True}, "pep", True),
        ("qualified-investor", {"category": "us.qib"}, "qib", True),
    ],
)
def test_shown_claims_become_facts(kind: str, shown: dict[str, Any], fact: str, value: Any) -> None:
    assert facts_of(party(held(kind, claims=CLAIMS[kind] | shown)))[fact] == value


@pytest.mark.parametrize(("scope", "fact"), [("any", None), ("ISS-1", "ISS-1")])
def test_a_shown_scope_is_taken_at_its_word(scope: str, fact: str | None) -> None:
    credential = held("qualified-investor", claims=CLAIMS["qualified-investor"] | {"scope": scope})
    assert facts_of(party(credential))["verification"].get("scope") == fact


@pytest.mark.parametrize(
    ("claims", "is_us_person"),
    [
        ({"country": "US", "us_person": False, "age_over_18": True}, True),
        ({"country": "MY", "us_person": False, "age_over_18": True}, False),
        ({"country": "MY", "us_person": True, "age_over_18": True}, True),
        ({"country": "US", "us_person": False, "beneficial_owners_complete": True}, False),  # an estate, a trust
    ],
)
def test_whoever_lives_in_the_united_states_is_a_us_person(claims: dict[str, Any], is_us_person: bool) -> None:
    assert facts_of(party(held("kyc", claims=claims)))["us_person"] is is_us_person


def test_claims_of_another_form_are_no_facts() -> None:
    odd = held("kyc", claims={"country": 49, "us_person": "no", "loa": "perfect"})
    assert not {"country", "us_person", "kyc_loa"} & facts_of(party(odd)).keys()


def test_the_trust_list_says_what_an_attester_is() -> None:
    own_word = held("qualified-investor", claims={**CLAIMS["qualified-investor"], "attester_class": "us_cpa"})
    trusted = replace(own_word, trusted_as="kyc_provider")
    assert facts_of(party(held("kyc"), trusted))["verification"]["attester"] == "kyc_provider"


@pytest.mark.parametrize("name", ["accredited", "us_person", "qib", "sanctions", "kyc_valid_until", "identified"])
def test_a_caller_cannot_say_what_credentials_attest(name: str) -> None:
    with pytest.raises(ValidationError):
        PartyInTrade.model_validate({name: True})


@given(st.integers(0, 18), st.from_regex(r"(0|[1-9][0-9]{0,19})(\.[0-9]{1,10})?", fullmatch=True))
def test_the_price_of_a_unit_is_exact(decimals: int, amount: str) -> None:
    price = price_per_unit(amount, decimals)
    assert Decimal(f"{price:f}e{decimals}") == Decimal(amount)


def test_facts_survive_their_written_form() -> None:
    facts = {
        "action": "primary",
        "date": date(2026, 11, 23),
        "qty": 10**30,
        "price": Decimal("0.0000000001"),
        "buyer": {"accredited": True, "owners": [], "verification": {"tax_years": [2024, 2025]}},
        "offering": {"awtv": None, "regime": "us.506c"},
    }
    assert decode_facts(encode_facts(facts)) == facts


RESTRICTED_CODES = [code for code, entry in load_reason_codes().items() if entry["outward"] == "RESTRICTED"]


def verdict_of(*found: str) -> Verdict:
    reasons = tuple(
        {"code": code, "party": "buyer", "basis": "law", "citation": code, "message": code, "evidence": {code: "1"}}
        for code in found
    )
    return Verdict("deny", reasons, (), None, 0, "v", "h")


@pytest.mark.parametrize("code", [code for code in RESTRICTED_CODES if code != "RESTRICTED"])
def test_no_aml_reason_can_be_told_from_another(code: str) -> None:
    seen = redact(verdict_of("KYC_EXPIRED", code, "HALTED"))
    assert seen == redact(verdict_of("KYC_EXPIRED", "SANCTIONS_HIT", "AML_SCREEN_STALE", "HALTED"))
    assert [reason["code"] for reason in seen.reasons] == ["RESTRICTED", "KYC_EXPIRED", "HALTED"]


def missing(field: str) -> Verdict:
    [reason] = verdict_of("INPUT_MISSING").reasons
    return replace(verdict_of(), reasons=({**reason, "evidence": {"field": field}},))


def test_what_is_asked_of_the_politically_exposed_alone_is_withheld_too() -> None:
    assert redact(missing("buyer.edd_done")) == redact(verdict_of("PEP_EDD_REQUIRED"))


@pytest.mark.parametrize("verdict", [verdict_of("KYC_EXPIRED"), missing("buyer.sanctions"), missing("buyer.pep")])
def test_what_holds_nothing_back_is_the_same_decision(verdict: Verdict) -> None:
    assert redact(verdict) is verdict


def test_a_bundle_names_every_status_entry_of_a_credential() -> None:
    entries = tuple(StatusQuery("https://issuer.example", f"https://issuer.example/lists/{n}", n) for n in (1, 2, 3))
    bare = {"name": "c1", "id": "std_kyc", "digest": "sha256:00", "status_uri": None, "status_index": None}
    first, *more = ({"status_uri": each.uri, "status_index": each.index} for each in entries)
    assert name_places(held("kyc"), "c1") == bare
    assert name_places(held("kyc", statuses=entries[:1]), "c1") == bare | first
    assert name_places(held("kyc", statuses=entries), "c1") == bare | first | {"further_statuses": more}
