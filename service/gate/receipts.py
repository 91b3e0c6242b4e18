"""Where a decision stands in the transparency log, and the proof of it."""

import base64
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError
from service.gate.rows import TransferRow
from service.storage.audit import read_log_record
from service.storage.log import CheckpointRow, find_log_entry, prove_inclusion, read_newest_checkpoint
from service.storage.tables import AuditEntry, Transfer

DECIDED = "transfer.decided"
PENDING: dict[str, Any] = {"state": "pending", "index": None}


class ReceiptPendingError(ConflictError):
    """The entry has not been published yet, which takes a second at most."""

    code = "receipt_pending"


async def _find_place(
    session: AsyncSession, transfer: Transfer | TransferRow
) -> tuple[AuditEntry, int, CheckpointRow] | None:
    """Return the decision's entry, its index, and the published checkpoint that covers it."""
    entry = await find_log_entry(session, org_id=transfer.org_id, kind=DECIDED, subject_id=transfer.id)
    newest = await read_newest_checkpoint(session, published=True)
    if entry is None or entry.idx is None or newest is None or entry.idx >= newest.tree_size:
        return None
    return entry, entry.idx, newest


async def read_log_state(session: AsyncSession, transfer: Transfer | TransferRow) -> dict[str, Any]:
    """Return the member ``log`` of a decision: included once a published checkpoint covers it."""
    place = await _find_place(session, transfer)
    return PENDING if place is None else {"state": "included", "index": place[1]}


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def build_receipt(session: AsyncSession, transfer: Transfer | TransferRow) -> dict[str, Any]:
    """Return what proves to anybody who trusts the log's key that the decision is in the log.

    It shows the record itself: ``service.credentials.receipt`` verifies it.

    Raises:
        ReceiptPendingError: See there.
    """
    place = await _find_place(session, transfer)
    if place is None:
        raise ReceiptPendingError("The decision is recorded and not in the published log yet; ask again.")
    entry, index, newest = place
    proof = await prove_inclusion(session, index=index, size=newest.tree_size)
    return {
        "record": read_log_record(entry),
        "nonce": _encode(entry.nonce),
        "index": index,
        "inclusion_proof": [_encode(each) for each in proof],
        "checkpoint": newest.note,
    }
