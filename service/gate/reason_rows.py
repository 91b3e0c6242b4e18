"""The reasons of a decision as rows to find it by, for each of the two circles of readers. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from service.gate.rows import TransferRow

ALL, COMPLIANCE, OTHERS = "all", "compliance", "others"
READERS: Final = {True: (ALL, COMPLIANCE), False: (ALL, OTHERS)}
"""Whose rows count for a reader, by whether they see AML and sanctions reasons."""


def list_reason_rows(
    transfer: TransferRow, reasons: Sequence[dict[str, Any]], outward: Sequence[dict[str, Any]] | None
) -> list[dict[str, Any]]:
    """Return the columns of the rows; a code that holds for both parties is one row.

    Args:
        outward: The reasons of the redacted form; None if nothing has to be withheld.
    """
    forms = {ALL: reasons} if outward is None else {COMPLIANCE: reasons, OTHERS: outward}
    return [
        {
            "org_id": transfer.org_id,
            "transfer_id": transfer.id,
            "readers": readers,
            "code": code,
            "place": place,
            "decided_at": transfer.decided_at,
        }
        for readers, form in forms.items()
        for place, code in enumerate(dict.fromkeys(each["code"] for each in form))
    ]
