"""What a decision becomes in other standards. Pure, but for the table that ``schemas/reason-codes.json`` holds.

Source: gate.md section 2; SEP-0008, "Approval Criteria"; ERC-1404, ERC-1400, ERC-1066, ERC-3643, ERC-1450.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from service.schema_files import load_outcome_projections, load_reason_codes

_COLUMNS = {
    "erc1404": "erc1404",
    "erc1066": "erc1066",
    "erc1400": "erc1400",
    "erc3643": "trex",
    "ds": "ds",
    "erc1450": "erc1450",
}


def project_decision(
    outcome: str, reasons: Sequence[Mapping[str, Any]], *, max_quantity: int | None, requested: int
) -> dict[str, Any]:
    """Return the decision under each standard's name; a standard without a fitting value gives null.

    Args:
        outcome: ``permit``, ``deny`` or ``review``.
        reasons: As the reader of the projection may see them; the first one speaks.
        max_quantity: What the same facts would permit.
        requested: The quantity that was asked for.
    """
    row = _choose_row(outcome, reasons)
    projected = {name: row[column] for name, column in _COLUMNS.items()}
    return projected | {"sep8": _choose_sep8(outcome, reasons, max_quantity, requested)}


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
