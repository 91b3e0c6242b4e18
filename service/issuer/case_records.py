"""Cases as stored and seen. Figures with their working, and why a case was declined, are sealed for the person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, NotFoundError
from service.issuer.case_review import Review, read_review, write_review
from service.storage.audit import append_audit_entry
from service.storage.event_types import EVENT_SCOPES
from service.storage.outbox import add_event
from service.storage.subject_keys import DataKey
from service.storage.tables import ReviewCase

OPEN, WAITING, REVIEWED, APPROVED, DECLINED = "open", "waiting", "reviewed", "approved", "declined"
_REVIEW_PURPOSE, _REASON_PURPOSE = "case-review", "case-reason"


class CaseClosedError(ConflictError):
    """The case was approved or declined; open a new one."""

    code = "case_closed"


@dataclass(frozen=True, slots=True)
class CaseView:
    """What the back office sees of a case.

    Attributes:
        rule: Id of the test or limit of the last review.
        review: With its figures; None in lists, and before a review.
        reason: Why it was declined; None in lists.
    """

    id: str
    credential_configuration_id: str
    subject_ref: str
    state: str
    opened_by: str
    created_at: datetime
    rule: str | None
    passed: bool | None
    reviewed_by: str | None
    reviewed_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    offer_id: str | None
    review: Review | None = None
    reason: str | None = None


async def load_case(session: AsyncSession, org_id: str, case_id: str, *, lock: bool = False) -> ReviewCase:
    """Return a case of this organisation.

    Raises:
        NotFoundError: None of this id, or another organisation's.
    """
    query = select(ReviewCase).where(ReviewCase.org_id == org_id, ReviewCase.id == case_id)
    row = (await session.exec(query.with_for_update() if lock else query)).first()
    if row is None:
        raise NotFoundError
    return row


async def load_undecided(session: AsyncSession, org_id: str, case_id: str) -> ReviewCase:
    """Return a case that nobody has decided, held until the transaction ends.

    Raises:
        NotFoundError: See ``load_case``.
        CaseClosedError: Approved or declined.
    """
    row = await load_case(session, org_id, case_id, lock=True)
    if row.state in (APPROVED, DECLINED):
        raise CaseClosedError(f"The case is {row.state}.")
    return row


def keep_review(row: ReviewCase, key: DataKey, review: Review) -> None:
    """Put a review into a case, sealed."""
    row.rule_id, row.passed = review.rule, review.passed
    row.as_of, row.rules_version = date.fromisoformat(review.as_of), review.rules_version
    row.sealed_review = key.seal(write_review(review), context=_context(_REVIEW_PURPOSE, row))


def open_review(row: ReviewCase, key: DataKey) -> Review | None:
    """Return the last review of a case, or None before the first."""
    if row.sealed_review is None:
        return None
    return read_review(key.unseal(row.sealed_review, context=_context(_REVIEW_PURPOSE, row)))


def keep_reason(row: ReviewCase, key: DataKey, reason: str) -> None:
    """Put the reason of a refusal into a case, sealed."""
    row.sealed_reason = key.seal(reason.encode(), context=_context(_REASON_PURPOSE, row))


def view_case(row: ReviewCase) -> CaseView:
    """Copy what a list may show."""
    return CaseView(**_copy(row))


def view_opened_case(row: ReviewCase, key: DataKey) -> CaseView:
    """Copy everything, with what is sealed."""
    reason = None
    if row.sealed_reason is not None:
        reason = key.unseal(row.sealed_reason, context=_context(_REASON_PURPOSE, row)).decode()
    return CaseView(**_copy(row), review=open_review(row, key), reason=reason)


def audit_case(
    session: AsyncSession, row: ReviewCase, kind: str, client_id: str, now: datetime, more: Mapping[str, Any]
) -> None:
    """Record who did what to a case, and tell of it; ``more`` must hold no figure."""
    record = {"client_id": client_id, "credential_configuration_id": row.credential_configuration_id, **more}
    append_audit_entry(session, org_id=row.org_id, kind=kind, subject_id=row.id, record=record, recorded_at=now)
    if kind in EVENT_SCOPES:
        told = {"case_id": row.id, "credential_configuration_id": row.credential_configuration_id, "state": row.state}
        add_event(session, org_id=row.org_id, kind=kind, data=told, subject=f"case/{row.id}", now=now)


def _copy(row: ReviewCase) -> dict[str, Any]:
    return {
        "id": row.id,
        "credential_configuration_id": row.credential_configuration_id,
        "subject_ref": row.subject_ref,
        "state": row.state,
        "opened_by": row.opened_by,
        "created_at": row.created_at,
        "rule": row.rule_id,
        "passed": row.passed,
        "reviewed_by": row.reviewed_by,
        "reviewed_at": row.reviewed_at,
        "decided_by": row.decided_by,
        "decided_at": row.decided_at,
        "offer_id": row.offer_id,
    }


def _context(purpose: str, row: ReviewCase) -> str:
    """Bind a seal to its case, so that it opens nowhere else."""
    return f"{purpose} {row.org_id} {row.id}"
