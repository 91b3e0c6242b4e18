"""Check that the records in the database are those that were logged, and that every decision was."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import exists
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.commitment import CommitmentError, verify_commitment
from service.storage.audit import ERASED_KINDS, read_log_record
from service.storage.tables import AuditEntry, Transfer

PAGE = 500
DECIDED = "transfer.decided"


async def check_records(session: AsyncSession, entries: Sequence[bytes]) -> list[str]:
    """Open every entry with the record that the database has for it.

    Args:
        session: A reading transaction.
        entries: The verified entries of the log, by index.

    Returns:
        One sentence for each problem.
    """
    problems: list[str] = []
    erased = await _read_tombstones(session)
    seen = 0
    async for row in _list_logged(session, len(entries)):
        assert row.idx is not None
        problems += [f"entry {index}: its record is missing." for index in range(seen, row.idx)]
        seen = row.idx + 1
        if (row.org_id, row.id) in erased.entries and not row.record:
            continue  # its commitment stays, and nothing opens it any more
        problems += _check_record(row, entries[row.idx])
        if row.kind == DECIDED:
            problems += await _check_decision(session, row, erased)
    problems += [f"entry {index}: its record is missing." for index in range(seen, len(entries))]
    return problems + await _find_unrecorded_decisions(session)


async def _list_logged(session: AsyncSession, size: int) -> AsyncIterator[AuditEntry]:
    place = 0
    while True:
        query = (
            select(AuditEntry)
            .where(col(AuditEntry.idx) >= place, col(AuditEntry.idx) < size)
            .order_by(col(AuditEntry.idx))
            .limit(PAGE)
        )
        rows = (await session.exec(query)).all()
        for row in rows:
            yield row
        if not rows or rows[-1].idx is None:
            return
        place = rows[-1].idx + 1
        session.expunge_all()


@dataclass(frozen=True, slots=True)
class _Tombstones:
    """What erasures say that they emptied: audit entries, and decisions' bundles; by organisation and id."""

    entries: set[tuple[str, str]] = field(default_factory=set)
    bundles: set[tuple[str, str]] = field(default_factory=set)


async def _read_tombstones(session: AsyncSession) -> _Tombstones:
    found = _Tombstones()
    for row in (await session.exec(select(AuditEntry).where(col(AuditEntry.kind).in_(ERASED_KINDS)))).all():
        try:
            record = json.loads(row.record)
            found.entries.update((row.org_id, each) for each in record["entries"])
            found.bundles.update((row.org_id, each) for each in record["bundles"])
        except (ValueError, KeyError, TypeError):
            continue  # edited; the check of the record says so
    return found


def _check_record(row: AuditEntry, entry: bytes) -> list[str]:
    try:
        verify_commitment(row.nonce, read_log_record(row), expected_commitment=entry)
    except (CommitmentError, ValueError):  # a record that was edited may be no JSON any more
        return [f"entry {row.idx}: the record {row.id} is not what was logged."]
    return []


async def _check_decision(session: AsyncSession, row: AuditEntry, erased: _Tombstones) -> list[str]:
    transfer = await session.get(Transfer, (row.org_id, row.subject_id))
    if transfer is None:
        return [f"entry {row.idx}: the decision {row.subject_id} is missing."]
    try:
        recorded = json.loads(row.record)
    except ValueError:
        return []  # found already
    is_emptied = not transfer.bundle and (row.org_id, transfer.id) in erased.bundles
    bundle_sha256 = hashlib.sha256(transfer.bundle.encode()).hexdigest()
    stored = {
        "decision_hash": transfer.decision_hash,
        "outward_hash": transfer.outward_hash,
        "bundle_sha256": recorded.get("bundle_sha256") if is_emptied else bundle_sha256,
        "outcome": transfer.outcome,
    }
    payloads = ((transfer.payload, transfer.decision_hash), (transfer.outward_payload, transfer.outward_hash))
    whole = all(
        text is None or f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" == made for text, made in payloads
    )
    if recorded == stored and whole:
        return []
    return [f"entry {row.idx}: the decision {transfer.id} is not what was logged."]


async def _find_unrecorded_decisions(session: AsyncSession) -> list[str]:
    recorded = exists().where(
        col(AuditEntry.org_id) == col(Transfer.org_id),
        col(AuditEntry.subject_id) == col(Transfer.id),
        col(AuditEntry.kind) == DECIDED,
    )
    missing = (await session.exec(select(Transfer.id).where(~recorded).limit(PAGE))).all()
    return [f"decision {each}: it was never recorded." for each in missing]
