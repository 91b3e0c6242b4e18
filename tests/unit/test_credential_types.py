"""Credential types: constants agree with the published files, expiry, defaults, labels."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from service import schema_files
from service.credentials.credential_types import (
    CREDENTIAL_TYPES,
    CredentialExpiryError,
    UnknownCredentialTypeError,
    add_implied_claims,
    complete_claims,
    compute_expiry,
    label_disclosable_claims,
    rule_zone,
    type_named,
    type_of,
    vct_of,
)

NOW = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
ALWAYS_VISIBLE = {"iss", "vct", "cnf", "status", "iat", "exp"}
TABLE_CODES = {"HALTED": (2, "0x54"), "SENDER_FROZEN": (3, "0x56"), "US_506C_VERIFICATION_STALE": (104, "0x57")}

names = pytest.mark.parametrize("name", list(CREDENTIAL_TYPES))


@names
def test_claims_schema_is_valid_and_lists_exactly_the_claims(name: str) -> None:
    schema = schema_files.load_claims_schema(name)
    Draft202012Validator.check_schema(schema)
    assert tuple(schema["properties"]) == CREDENTIAL_TYPES[name].claims
    assert schema["additionalProperties"] is False
    assert all(claim.get("description") for claim in schema["properties"].values())


@names
def test_type_metadata_agrees_with_the_type(name: str) -> None:
    kind, metadata = CREDENTIAL_TYPES[name], schema_files.load_type_metadata(name)
    assert metadata["vct"] == kind.vct == f"urn:goodstanding:vct:{name}:1"
    disclosability = {entry["path"][0]: entry["sd"] for entry in metadata["claims"]}
    assert {claim for claim, sd in disclosability.items() if sd == "always"} == kind.disclosable
    assert {claim for claim, sd in disclosability.items() if sd == "never"} == ALWAYS_VISIBLE
    for entry in [metadata, *metadata["claims"]]:
        assert [display["locale"] for display in entry["display"]] == ["en", "zh"]


@names
def test_names_and_vcts_lead_to_the_type(name: str) -> None:
    assert type_of(vct_of(name)) is type_named(name) is CREDENTIAL_TYPES[name]


@pytest.mark.parametrize("vct", ["urn:goodstanding:vct:KYC:1", "urn:goodstanding:vct:kyc:2", "kyc", ""])
def test_unknown_vct_is_refused(vct: str) -> None:
    with pytest.raises(UnknownCredentialTypeError):
        type_of(vct)


def test_unknown_name_is_refused_by_the_loader() -> None:
    with pytest.raises(UnknownCredentialTypeError):
        schema_files.load_claims_schema("../../etc/passwd")


def test_only_kyc_carries_a_subject_identifier_that_no_issuer_may_send() -> None:
    assert [name for name, kind in CREDENTIAL_TYPES.items() if "sub" in kind.disclosable] == ["kyc"]
    assert all("sub" not in kind.claims for kind in CREDENTIAL_TYPES.values())


@pytest.mark.parametrize(
    ("jurisdiction", "expected"),
    [
        ("US", "2026-12-01T05:00:00+00:00"),
        ("HK", "2026-11-30T16:00:00+00:00"),
        ("SG", "2026-11-30T16:00:00+00:00"),
        ("UK", "2026-12-01T00:00:00+00:00"),
        ("EU", "2026-11-30T23:00:00+00:00"),
    ],
)
def test_valid_until_ends_with_the_day_in_the_rules_zone(jurisdiction: str, expected: str) -> None:
    claims = {"jurisdiction": jurisdiction, "valid_until": "2026-11-30"}
    assert compute_expiry("qualified-investor", claims, issued_at=NOW).isoformat() == expected


def test_the_end_of_a_summer_day_follows_daylight_saving_time() -> None:
    claims = {"jurisdiction": "US", "valid_until": "2027-07-01"}
    assert compute_expiry("qualified-investor", claims, issued_at=NOW) == datetime(2027, 7, 2, 4, tzinfo=UTC)


def test_valid_until_goes_before_the_date_of_the_offer() -> None:
    claims = {"jurisdiction": "EU", "valid_until": "2026-12-31"}
    expires_at = compute_expiry("qualified-investor", claims, issued_at=NOW, credential_expires_on=date(2026, 11, 30))
    assert expires_at == datetime(2026, 12, 31, 23, tzinfo=UTC)


def test_date_of_the_offer_counts_in_the_zone_of_residence() -> None:
    expires_at = compute_expiry("kyc", {"country": "HK"}, issued_at=NOW, credential_expires_on=date(2027, 1, 31))
    assert expires_at == datetime(2027, 1, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kyc", datetime(2027, 11, 22, 15, 30, tzinfo=UTC)),
        ("aml-screening", NOW + timedelta(days=7)),
        ("qualified-investor", NOW + timedelta(days=90)),
        ("investment-limit", NOW + timedelta(days=90)),
    ],
)
def test_default_lifetimes(name: str, expected: datetime) -> None:
    assert compute_expiry(name, {}, issued_at=NOW) == expected


def test_twelve_months_from_a_leap_day_end_on_the_last_of_february() -> None:
    leap_day = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert compute_expiry("kyc", {}, issued_at=leap_day) == datetime(2029, 2, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "valid_until", ["2026-11-21", "2020-01-01", "9999-12-31", "0001-01-01", "soon", 20261231, None]
)
def test_a_credential_that_could_never_be_valid_is_refused(valid_until: object) -> None:
    with pytest.raises(CredentialExpiryError):
        compute_expiry("qualified-investor", {"jurisdiction": "US", "valid_until": valid_until}, issued_at=NOW)


def test_the_last_valid_day_may_be_today_where_the_day_has_not_ended() -> None:
    evening_in_new_york = datetime(2026, 11, 23, 4, 59, 59, tzinfo=UTC)
    claims = {"jurisdiction": "US", "valid_until": "2026-11-22"}
    assert compute_expiry("qualified-investor", claims, issued_at=evening_in_new_york) > evening_in_new_york
    with pytest.raises(CredentialExpiryError):
        compute_expiry("qualified-investor", claims, issued_at=evening_in_new_york + timedelta(seconds=1))


@given(
    st.sampled_from(list(CREDENTIAL_TYPES)),
    st.datetimes(NOW.replace(year=2000, tzinfo=None), NOW.replace(year=2500, tzinfo=None), timezones=st.timezones()),
    st.none() | st.dates(),
)
def test_expiry_is_after_issuance_in_whole_seconds_or_refused(
    name: str, issued_at: datetime, last_day: date | None
) -> None:
    try:
        expires_at = compute_expiry(name, {"country": "US"}, issued_at=issued_at, credential_expires_on=last_day)
    except CredentialExpiryError:
        assert last_day is not None
        return
    assert expires_at > issued_at
    assert expires_at.tzinfo is UTC
    assert expires_at.microsecond == 0


@pytest.mark.parametrize(
    ("name", "claims", "zone"),
    [
        ("kyc", {"country": "US"}, "America/New_York"),
        ("investment-limit", {"regime": "us.reg_cf"}, "America/New_York"),
        ("qualified-investor", {"jurisdiction": "GB"}, "Europe/London"),
        ("qualified-investor", {"jurisdiction": "JP"}, "Asia/Tokyo"),
        ("qualified-investor", {"jurisdiction": "XX"}, "UTC"),
        ("qualified-investor", {"jurisdiction": ["US"]}, "UTC"),
        ("aml-screening", {"country": "US"}, "UTC"),
    ],
)
def test_rule_zone(name: str, claims: dict[str, object], zone: str) -> None:
    assert str(rule_zone(name, claims)) == zone


def test_defaults_fill_gaps_and_never_change_what_was_sent() -> None:
    defaults = {"attester_class": "us_cpa", "attester_register_id": None, "rules_version": "2026.1"}
    sent = {"jurisdiction": "US", "attester_class": "us_attorney"}
    completed = complete_claims("qualified-investor", sent, defaults=defaults)
    assert completed == {"jurisdiction": "US", "attester_class": "us_attorney", "rules_version": "2026.1"}
    assert sent == {"jurisdiction": "US", "attester_class": "us_attorney"}
    assert complete_claims("kyc", {"country": "US"}, defaults=defaults) == {"country": "US"}


def test_labels_for_the_wallet() -> None:
    metadata = schema_files.load_type_metadata("kyc")
    assert set(label_disclosable_claims(metadata)) == CREDENTIAL_TYPES["kyc"].disclosable
    assert label_disclosable_claims(metadata, locale="zh-CN")["birthdate"] == "出生日期"
    assert label_disclosable_claims(metadata, locale="fr")["birthdate"] == "Date of birth"


def test_missing_schema_folder_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(schema_files, "SCHEMAS_DIR", tmp_path)
    schema_files.load_claims_schema.cache_clear()
    with pytest.raises(schema_files.SchemaFilesError, match="schemas folder must lie beside"):
        schema_files.load_claims_schema("kyc")


def test_reason_codes_are_complete_entries_and_repeat_the_table() -> None:
    codes = schema_files.load_reason_codes()
    assert len(codes) == 89
    assert sum(entry["kind"] == "obligation" for entry in codes.values()) == 7
    projections = {"erc1404", "erc1400", "erc1066", "ds", "erc1450", "trex", "sep8"}
    for code, entry in codes.items():
        assert set(entry["projections"]) == projections, code
        assert (entry["projections"]["erc1404"] == 0) == (entry["kind"] == "obligation"), code
        assert (entry["projections"]["sep8"] == "success") == (entry["kind"] == "obligation"), code
        assert entry["title"], code
    for code, (erc1404, erc1400) in TABLE_CODES.items():
        assert (codes[code]["projections"]["erc1404"], codes[code]["projections"]["erc1400"]) == (erc1404, erc1400)
    assert schema_files.load_outcome_projections()["permit"]["erc1400"] == "0x51"


def test_no_aml_or_sanctions_code_is_told_to_everyone() -> None:
    codes = schema_files.load_reason_codes()
    hidden = {code for code, entry in codes.items() if entry["outward"] != code}
    assert hidden == {
        *("SANCTIONS_HIT", "SANCTIONS_50PCT", "SANCTIONS_POTENTIAL_MATCH", "SANCTIONS_OWNERSHIP_REVIEW"),
        *("AML_SCREEN_STALE", "PEP_EDD_REQUIRED", "OBL_BLOCK_AND_REPORT_IF_US_NEXUS"),
    }
    assert {codes[code]["outward"] for code in hidden} == {"RESTRICTED", None}
    assert codes["RESTRICTED"]["projections"]["erc1404"] != codes["SANCTIONS_HIT"]["projections"]["erc1404"]


@pytest.mark.parametrize(
    ("name", "claims", "added"),
    [
        ("aml-screening", {"result": "clear"}, {"pep": False, "edd_done": False}),
        ("aml-screening", {"pep": True, "edd_done": True}, {}),
        ("qualified-investor", {}, {"scope": "any"}),
        ("qualified-investor", {"scope": "ISS-1"}, {}),
        ("kyc", {"birthdate": "2008-11-23"}, {"age_over_18": True}),
        ("kyc", {"birthdate": "2008-11-24"}, {"age_over_18": False}),
        ("kyc", {"age_over_18": False}, {}),
        ("kyc", {"country": "US"}, {"beneficial_owners_complete": True}),
        ("kyc", {"legal_name": "Sample Ltd"}, {"beneficial_owners_complete": False}),
        ("kyc", {"legal_name": "Sample Ltd", "beneficial_owners_complete": True}, {}),
        ("investment-limit", {"regime": "us.reg_cf"}, {}),
    ],
)
def test_silence_is_spelled_out(name: str, claims: dict[str, Any], added: dict[str, Any]) -> None:
    assert add_implied_claims(name, claims, today=date(2026, 11, 23)) == claims | added
