"""Ask for more information about a case: it waits until evidence comes or somebody reviews it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.jose import write_json
from service.issuer.case_records import OPEN, WAITING, CaseView, audit_case, load_case, load_undecided, view_opened_case
from service.issuer.subjects import open_person_key
from service.keys import Signer
from service.storage.ids import new_id
from service.storage.subject_keys import DataKey
from service.storage.tables import CaseInformationRequest, ReviewCase


@dataclass(frozen=True, slots=True)
class InformationRequest:
    """What a reviewer still wants to see.

    Attributes:
        items: What is missing, best in the words of the checklist; may be empty.
        answered_at: When the case went on; None while it waits.
    """

    id: str
    message: str
    items: Sequence[str]
    requested_by: str
    requested_at: datetime
    answered_at: datetime | None


async def request_information(
    session: AsyncSession,
    signer: Signer,
    org_id: str,
    case_id: str,
    *,
    message: str,
    items: Sequence[str],
    client_id: str,
    now: datetime,
) -> CaseView:
    """Let a case wait for more information. A review that was made before counts no longer.

    Args:
        message, items: Sealed, as they may name a person.

    Raises:
        NotFoundError, CaseClosedError: See ``load_undecided``.
    """
    case = await load_undecided(session, org_id, case_id)
    key = await open_person_key(await session.connection(), signer, org_id, case.subject_ref)
    row = CaseInformationRequest(
        org_id=org_id, id=new_id("ask"), case_id=case_id, sealed_message=b"", requested_by=client_id, requested_at=now
    )
    row.sealed_message = key.seal(write_json({"message": message, "items": list(items)}), context=_context(row))
    session.add(row)
    case.state = WAITING
    session.add(case)
    audit_case(session, case, "case.information_requested", client_id, now, {"request_id": row.id})
    return view_opened_case(case, key)


async def list_information_requests(
    session: AsyncSession, signer: Signer, org_id: str, case_id: str
) -> tuple[str, Sequence[InformationRequest]]:
    """Return the case's person and what was asked for, oldest first.

    Raises:
        NotFoundError: No such case, or another organisation's.
    """
    case = await load_case(session, org_id, case_id)
    key = await open_person_key(await session.connection(), signer, org_id, case.subject_ref)
    return case.subject_ref, [_view(row, key) for row in await _list_rows(session, org_id, case_id)]


async def end_waiting(session: AsyncSession, case: ReviewCase, now: datetime) -> None:
    """Let a case go on that waits for information: it is open until somebody reviews it."""
    if case.state != WAITING:
        return
    case.state = OPEN
    session.add(case)
    for row in await _list_rows(session, case.org_id, case.id):
        if row.answered_at is None:
            row.answered_at = now
            session.add(row)


async def _list_rows(session: AsyncSession, org_id: str, case_id: str) -> Sequence[CaseInformationRequest]:
    query = select(CaseInformationRequest).where(
        CaseInformationRequest.org_id == org_id, CaseInformationRequest.case_id == case_id
    )
    return (await session.exec(query.order_by(col(CaseInformationRequest.id)))).all()


def _view(row: CaseInformationRequest, key: DataKey) -> InformationRequest:
    said = json.loads(key.unseal(row.sealed_message, context=_context(row)))
    return InformationRequest(
        id=row.id,
        message=said["message"],
        items=said["items"],
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        answered_at=row.answered_at,
    )


def _context(row: CaseInformationRequest) -> str:
    return f"case-information {row.org_id} {row.case_id} {row.id}"
