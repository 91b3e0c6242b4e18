"""What happened to a case, as its audit entries tell it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.issuer.information import list_information_requests
from service.keys import Signer
from service.storage.tables import AuditEntry

MAX_ENTRIES = 200
_TOLD_ELSEWHERE = ("client_id", "credential_configuration_id", "subject_ref")


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One thing that was done.

    Attributes:
        kind: ``case.opened``, ``case.evidence_added``, ``case.information_requested``, ``case.reviewed``, ...
        by: API client or account.
        facts: The rest of the audit record, and what was asked for: ``message`` and ``items``.
    """

    at: datetime
    kind: str
    by: str
    facts: Mapping[str, Any]


async def list_case_events(
    session: AsyncSession, signer: Signer, org_id: str, case_id: str
) -> tuple[str, Sequence[CaseEvent]]:
    """Return the case's person and the first ``MAX_ENTRIES`` events, oldest first.

    Raises:
        NotFoundError: No such case, or another organisation's.
    """
    ref, asked = await list_information_requests(session, signer, org_id, case_id)
    said = {each.id: {"message": each.message, "items": list(each.items)} for each in asked}
    query = (
        select(AuditEntry)
        .where(AuditEntry.org_id == org_id, AuditEntry.subject_id == case_id)
        .where(col(AuditEntry.kind).startswith("case."), AuditEntry.record != "")
        .order_by(col(AuditEntry.id))
        .limit(MAX_ENTRIES)
    )
    return ref, [_read(row, said) for row in (await session.exec(query)).all()]


def _read(row: AuditEntry, said: Mapping[str, Mapping[str, Any]]) -> CaseEvent:
    record = json.loads(row.record)
    facts = {name: value for name, value in record.items() if name not in _TOLD_ELSEWHERE}
    facts |= said.get(str(record.get("request_id")), {})
    return CaseEvent(row.recorded_at, row.kind, record["client_id"], facts)
