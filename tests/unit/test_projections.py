"""What decisions become in other standards: gate.md section 2, row by row."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.cli.projection_docs import render_projection_docs
from service.gate.projections import REQUESTS, project_decision
from service.gate.redaction import redact
from service.gate.verdict import Verdict, describe_reason
from service.rules import Reason, Remedy
from service.rules.codes import OBLIGATIONS, RANKS
from service.schema_files import load_generic_failure, load_projection_rows, load_reason_codes

ROOT = Path(__file__).parents[2]
TREX = "Transfer not possible"
STANDARDS = {"erc1404", "erc1066", "erc1400", "erc3643", "ds", "erc1450", "erc1462", "st20", "r_token", "s3", "sep8"}
HIDDEN = [code for code, entry in load_reason_codes().items() if entry["outward"] == "RESTRICTED" and code in RANKS]
# The design's table, with the reasons that stand for each row: ERC-1400, ERC-1066, ERC-1404, DS, ERC-1450, T-REX v4.
TABLE: dict[str, tuple[str, str, int | None, int | None, int | None, str | None, str]] = {
    "halted": ("0x54", "0x42", 2, 10, 6, "Pausable: paused", "HALTED"),
    "sender_frozen": ("0x56", "0x16", 3, 90, 3, "wallet is frozen", "SENDER_FROZEN"),
    "recipient_frozen": ("0x57", "0x16", 4, 90, 3, "wallet is frozen", "RECIPIENT_FROZEN"),
    "insufficient_balance": ("0x52", "0x54", None, 15, 2, "Insufficient Balance", "INSUFFICIENT_BALANCE"),
    "insufficient_free_lots": ("0x55", "0x53", 6, 16, 9, "Insufficient Balance", ""),
    "counterparty_unidentified": ("0x57", "0x20", 22, 20, 11, TREX, "COUNTERPARTY_UNIDENTIFIED"),
    "credential_missing": ("0x57", "0xE5", 101, 20, 10, TREX, "KYC_MISSING"),
    "credential_expired": ("0x57", "0x46", 102, 20, 12, TREX, "KYC_EXPIRED CRED_EXPIRED"),
    "credential_revoked": ("0x57", "0x16", 103, 20, 1, TREX, "CRED_REVOKED CRED_SUSPENDED"),
    "sanctions": ("0x57", "0x16", 31, 20, 3, TREX, "SANCTIONS_HIT SANCTIONS_50PCT"),
    "qualification_missing": ("0x57", "0x10", 104, 61, 14, TREX, "HK_NOT_PI SG_AI_NOT_OPTED_IN"),
    "qualification_missing_us": ("0x57", "0x10", 104, 62, 14, TREX, "US_NOT_ACCREDITED US_506C_VERIFICATION_STALE"),
    "jurisdiction_blocked": ("0x57", "0x10", 105, 26, 13, TREX, "JURISDICTION_BLOCKED"),
    "flow_back": ("0x57", "0x44", 106, 25, 9, None, "US_REGS_US_PERSON US_REGS_DCP"),
    "holding_period": ("0x55", "0x44", 107, 33, 9, None, "LOCKUP_CONTRACT SG_276_6M"),
    "holding_period_us": ("0x55", "0x44", 107, 32, 9, None, "US_CF_RESALE_1Y US_RESALE_NO_EXEMPTION"),
    "holder_cap": ("0x57", "0x06", 108, 40, 999, None, "US_12G_2000 US_506B_35_LIMIT SG_50_OFFEREES"),
    "maximum_holding": ("0x57", "0x26", 109, 52, 5, TREX, ""),
    "minimum_holding": ("0x50", "0x24", 110, 51, 999, TREX, "MIN_DENOMINATION US_506C_MIN_INVESTMENT"),
    "investor_limit": ("0x50", "0x26", 109, 52, 5, TREX, "US_CF_INVESTOR_LIMIT US_REGA_10PCT_LIMIT"),
    "volume_limit": ("0x50", "0x56", 111, None, 999, TREX, "US_144_VOLUME EU_SMALL_OFFER_CAP"),
    "full_transfer_only": ("0x50", "0x10", 112, 50, 999, None, ""),
    "minimum_holders": ("0x50", "0x04", 113, 71, 999, None, ""),
    "review_pending": ("0x50", "0x12", 45, None, None, None, "RULE_UNCONFIRMED"),
    "court_order": ("0x54", "0x10", 114, None, 7, None, ""),
    "state_stale": ("0x50", "0x40", 115, None, 999, None, "STATE_STALE INPUT_MISSING RULE_FAILED"),
}
BEYOND_THE_TABLE = {"permit", "invalid_operator", "generic_failure"}


def project(code: str, kind: str = "none", **quantities: int) -> dict[str, Any]:
    remedy = Remedy(kind, purpose="us.506c") if kind != "none" else None  # type: ignore[arg-type]  # any kind
    reason = describe_reason(Reason(code, "buyer", "law", "", "", {}, remedy))
    return project_decision("deny", [reason], **{"max_quantity": None, "requested": 10, **quantities})


@pytest.mark.parametrize("row", sorted(TABLE))
def test_each_row_of_the_table(row: str) -> None:
    erc1400, erc1066, erc1404, ds, erc1450, trex, codes = TABLE[row]
    columns = {"erc1400": erc1400, "erc1066": erc1066, "erc1404": erc1404, "ds": ds, "erc1450": erc1450, "trex": trex}
    kept = load_projection_rows()[row]
    assert {name: kept[name] for name in columns} == columns
    filled = {name: load_generic_failure()[name] if value is None else value for name, value in columns.items()}
    for code in codes.split():
        projected = project(code)
        assert {name: projected["erc3643" if name == "trex" else name] for name in columns} == filled, code


def test_no_row_is_missing_or_invented() -> None:
    assert set(load_projection_rows()) == set(TABLE) | BEYOND_THE_TABLE


@pytest.mark.parametrize("code", sorted(set(load_reason_codes()) - set(OBLIGATIONS)))
def test_every_code_is_its_row_in_every_standard(code: str) -> None:
    entry, failure = load_reason_codes()[code], load_generic_failure()
    row = load_projection_rows()[entry["row"]]
    filled = {name: failure[name] if row[name] is None else row[name] for name in failure if name != "sep8"}
    assert {name: entry["projections"][name] for name in filled} == filled
    projected = project(code)
    assert set(projected) == STANDARDS | {"sep8_action"}
    assert [name for name in STANDARDS if projected[name] is None] == []
    # No denial reads as a success anywhere.
    assert projected["erc1404"] == projected["r_token"] == projected["s3"] in range(1, 256)
    assert "0x51" not in (projected["erc1400"], projected["erc1066"])
    assert projected["erc1462"] not in ("0x11", "0x00", "0x01")
    assert projected["st20"] == {"result": "INVALID", "code": projected["erc1400"]}
    assert 0x50 <= int(projected["st20"]["code"], 16) <= 0x58
    assert projected["ds"] > 0
    assert projected["erc1450"] > 0


def test_a_permit_is_a_success_in_every_standard() -> None:
    assert project_decision("permit", [], max_quantity=None, requested=10) == {
        "erc1404": 0,
        "erc1066": "0x51",
        "erc1400": "0x51",
        "erc3643": None,
        "ds": 0,
        "erc1450": None,
        "erc1462": "0x11",
        "st20": {"result": "VALID", "code": "0x51"},
        "r_token": 0,
        "s3": 0,
        "sep8": "success",
        "sep8_action": None,
    }


def test_a_review_is_pending_whatever_its_reason() -> None:
    reason = describe_reason(Reason("RULE_UNCONFIRMED", None, "firm_policy", "", "", {}, None))
    projected = project_decision("review", [reason], max_quantity=5, requested=10)
    assert (projected["erc1404"], projected["erc1066"], projected["sep8"]) == (45, "0x12", "pending")
    assert projected["st20"]["result"] == "INVALID"


@pytest.mark.parametrize(
    ("max_quantity", "kind", "status"),
    [
        (9, "none", "revised"),
        (9, "present", "revised"),
        (10, "none", "rejected"),
        (0, "none", "rejected"),
        (None, "wait_until", "rejected"),
        (None, "renew", "rejected"),
        (0, "present", "action_required"),
    ],
)
def test_sep8_status_of_a_denial(max_quantity: int | None, kind: str, status: str) -> None:
    projected = project("US_NOT_ACCREDITED", kind, max_quantity=max_quantity)  # type: ignore[arg-type]  # None too
    assert projected["sep8"] == status
    action = {"method": "POST", "href": REQUESTS, "party": "buyer", "body": {"purpose": "us.506c"}}
    assert projected["sep8_action"] == (action if status == "action_required" else None)


def test_a_presentation_is_not_asked_for_where_it_would_not_be_enough() -> None:
    reasons = [
        describe_reason(Reason(code, "buyer", "law", "", "", {}, remedy))
        for code, remedy in (("KYC_MISSING", Remedy("present", purpose="us.506c")), ("HALTED", None))
    ]
    projected = project_decision("deny", reasons, max_quantity=None, requested=10)
    assert (projected["sep8"], projected["sep8_action"], projected["erc1404"]) == ("rejected", None, 101)


@pytest.mark.parametrize("others", [[], ["KYC_MISSING"], ["INSUFFICIENT_BALANCE", "US_NOT_ACCREDITED"]])
def test_restricted_reasons_cannot_be_told_apart_by_any_projection(others: list[str]) -> None:
    seen = set()
    for code in HIDDEN:
        found = [Reason(each, "buyer", "law", "", "", {}, Remedy("present")) for each in (code, *others)]
        reasons = tuple(map(describe_reason, found))
        verdict = Verdict("deny", reasons, (), None, 4 if code == "SANCTIONS_HIT" else None, "", "")
        outward = redact(verdict)
        projected = project_decision("deny", outward.reasons, max_quantity=outward.max_quantity, requested=10)
        seen.add(json.dumps(projected, sort_keys=True))
        assert projected["sep8"] == "rejected"
    assert len(HIDDEN) == 6
    assert len(seen) == 1


def test_the_page_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "projections.md").read_text(encoding="utf-8")
    assert page == render_projection_docs(), "run `python -m service schemas write`"
    for code in load_reason_codes():
        assert f"| `{code}` |" in page
