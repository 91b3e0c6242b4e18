"""What a decision becomes in other standards. Pure, but for the table that ``schemas/reason-codes.json`` holds.

The first reason that the reader may see speaks: the list is ordered, most fundamental first. Four older standards
have no column of their own and follow another one; docs/projections.md is generated from what stands here.

Source: gate.md section 2; ERC-1404, ERC-1400, ERC-1066, ERC-1450 ("Reason Codes"), ERC-1462 ("Transfer Checking
Functions"), ERC-3643 (T-REX 4.1, ``Token.sol``); SEP-0008 ("Responses"); the DS protocol's ``preTransferCheck``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from service.schema_files import load_outcome_projections, load_reason_codes

COLUMNS = {
    "erc1404": "erc1404",
    "erc1066": "erc1066",
    "erc1400": "erc1400",
    "erc3643": "trex",
    "ds": "ds",
    "erc1450": "erc1450",
}
"""From a member of ``projections`` to the table's column."""
REQUESTS = "/v1/presentation-requests"
_PERMIT, _FAILURE = "0x51", "0x00"  # ERC-1066
_ALLOWED, _DISALLOWED = "0x11", "0x10"  # ERC-1462


def project_decision(
    outcome: str, reasons: Sequence[Mapping[str, Any]], *, max_quantity: int | None, requested: int
) -> dict[str, Any]:
    """Return the decision under each standard's name; null where a standard says nothing of a permit.

    Args:
        outcome: ``permit``, ``deny`` or ``review``.
        reasons: As the reader of the projection may see them; the first one speaks.
        max_quantity: What the same facts would permit.
        requested: The quantity that was asked for.
    """
    sep8 = _choose_sep8(outcome, reasons, max_quantity, requested)
    return {
        **project_row(_choose_row(outcome, reasons)),
        "sep8": sep8,
        "sep8_action": _describe_action(reasons[0]) if sep8 == "action_required" else None,
    }


def project_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filled row of the table under each standard's name, the older standards with it."""
    projected = {name: row[column] for name, column in COLUMNS.items()}
    return projected | {
        "erc1462": {_PERMIT: _ALLOWED, _FAILURE: _DISALLOWED}.get(row["erc1066"], row["erc1066"]),
        "st20": {"result": "VALID" if row["erc1400"] == _PERMIT else "INVALID", "code": row["erc1400"]},
        "r_token": row["erc1404"],
        "s3": row["erc1404"],
    }


def _choose_row(outcome: str, reasons: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if outcome != "deny":
        return load_outcome_projections()[outcome]
    row: Mapping[str, Any] = load_reason_codes()[reasons[0]["code"]]["projections"]
    return row


def _choose_sep8(outcome: str, reasons: Sequence[Mapping[str, Any]], max_quantity: int | None, requested: int) -> str:
    if outcome != "deny":
        return "success" if outcome == "permit" else "pending"
    if max_quantity and max_quantity < requested:
        return "revised"
    return "action_required" if all(each["remedy"]["kind"] == "present" for each in reasons) else "rejected"


def _describe_action(reason: Mapping[str, Any]) -> dict[str, Any]:
    """Say where the presentation that would help is asked for.

    SEP-0008 wants a link for the holder. That link is made on demand: it is the ``web_link`` of the answer to this
    request, which names the investor whom only the caller knows.
    """
    body = {"purpose": reason["remedy"]["purpose"]} if "purpose" in reason["remedy"] else {}
    return {"method": "POST", "href": REQUESTS, "party": reason["party"], "body": body}
