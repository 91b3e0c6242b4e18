"""What a platform itself knows of an investor, and the investor's standing with what it covers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import InvalidInputError, NotFoundError
from service.keys import Signer
from service.storage.audit import append_audit_entry
from service.storage.history import record_investor
from service.storage.outbox import build_standing_event, plan_events
from service.storage.past import find_record_start
from service.storage.personal_data import InvestorContent
from service.storage.prepared import execute_together
from service.storage.standings import know_investor, list_standing, read_investor_keys
from service.storage.statuses import read_credential_statuses
from service.storage.tables import Investor, Organization
from service.storage.trust import list_trusted_issuers
from service.verifier.standing import LockedInvestor, lock_investor
from service.verifier.standing_answer import Known, describe_investor, list_status_queries
from service.verifier.withholding import withhold_screenings

CLEAR = "clear"
CLOCK_SKEW = timedelta(minutes=1)
"""How far ahead of ours a platform's clock may run."""


async def put_investor(
    session: AsyncSession,
    signer: Signer,
    org_id: str,
    ref: str,
    changes: Mapping[str, Any],
    now: datetime,
    *,
    sees_all: bool,
) -> tuple[dict[str, Any], bool]:
    """Create an investor or change what is sent; returns the wire form and whether it is new.

    Args:
        session: Transaction.
        signer: Opens the investor's key.
        org_id: The platform.
        ref: Its name for the investor.
        changes: ``screening`` (JSON or None) and ``frozen``, each only if it was sent.
        now: Time of the change.
        sees_all: The caller has the scope ``compliance``; others see no screening but what they send.

    Raises:
        InvalidInputError: The screening is dated in the future.
    """
    _check_screening(changes.get("screening"), now)
    connection = await session.connection()
    is_new = await session.get(Investor, (org_id, ref)) is None
    investor = await lock_investor(connection, signer, org_id, ref, now)
    content = investor.content
    if "screening" in changes:
        content = _keep_screening(content, changes["screening"], now)
    frozen = changes.get("frozen", investor.row.frozen)
    row = (await investor.keep(connection, content, now, frozen=frozen)).row
    await record_investor(connection, row, now)
    causes = [cause for cause in ("screening", "frozen") if _is_changed(cause, changes, investor)]
    told = [build_standing_event(org_id, ref, cause=cause, now=now) for cause in causes]
    await execute_together(connection, [plan_events(told)])
    append_audit_entry(
        session,
        org_id=org_id,
        kind="investor.changed",
        subject_id=ref,
        record={"frozen": row.frozen, "screened": content.screening is not None, "changed": sorted(changes)},
        recorded_at=now,
    )
    described = describe_investor(row, content.screening)
    return withhold_screenings(described, sees_all=sees_all or "screening" in changes), is_new


def _keep_screening(content: InvestorContent, screening: Mapping[str, Any] | None, now: datetime) -> InvestorContent:
    is_match = screening is not None and screening["result"] != CLEAR
    return replace(content, screening=screening, matched_at=now if is_match else content.matched_at)


def _is_changed(name: str, changes: Mapping[str, Any], before: LockedInvestor) -> bool:
    known = before.content.screening if name == "screening" else before.row.frozen
    return name in changes and changes[name] != known


def _check_screening(screening: Mapping[str, Any] | None, now: datetime) -> None:
    if screening and datetime.fromisoformat(screening["screened_at"]) > now + CLOCK_SKEW:
        finding = {"path": "/body/screening/screened_at", "detail": "lies in the future"}
        raise InvalidInputError("A screening cannot be later than now.", errors=[finding])


async def find_investors(
    session: AsyncSession, org_id: str, *, prefix: str, after: str | None, limit: int
) -> Sequence[Investor]:
    """Return up to ``limit`` investors whose ref begins with ``prefix``, in order of ref, behind ``after``."""
    ref = col(Investor.ref)
    # The lower bound is for the index: with most orders of text the database makes none of a pattern.
    query = select(Investor).where(Investor.org_id == org_id, ref >= prefix, ref.startswith(prefix, autoescape=True))
    if after is not None:
        query = query.where(ref > after)
    return (await session.exec(query.order_by(ref).limit(limit))).all()


async def read_known(
    session: AsyncSession, signer: Signer, *, base_url: str, org_id: str, ref: str, now: datetime
) -> Known:
    """Read what the platform knows of an investor now.

    Raises:
        NotFoundError: The platform has not recorded such an investor.
    """
    investor = await session.get(Investor, (org_id, ref))
    if investor is None:
        raise NotFoundError
    keys = await read_investor_keys(session, signer, org_id, [ref])
    rows = (await list_standing(session, keys, org_id, [ref]))[ref]
    queries = list_status_queries(rows)
    return Known(
        investor=investor,
        screening=know_investor(investor, keys.get(ref)).screening,
        rows=rows,
        readings=await read_credential_statuses(session, base_url=base_url, org_id=org_id, queries=queries, now=now),
        trusted=await list_trusted_issuers(session, org_id),
        trust_version=(await session.get_one(Organization, org_id)).trust_version,
        complete_since=await find_record_start(session, org_id, ref),
    )
