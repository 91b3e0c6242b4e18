"""Erase what is due without being asked: nobody's data is kept because nobody remembers it.

- An investor of whom nothing was heard for six years, once no hold, holding or rule keeps the records.
- A person whom an issuer met six years ago or earlier, once no hold, credential or rule keeps the records.
- The answer to a presentation request that names no investor, after thirty days.
- An answer whose browser did not come back in time.
- What expired at issuers: claims of offers, access tokens, grants, used nonces and proofs.
- A copy of another issuer's status list that said nothing for thirty days, and that nothing needs.
- Events and what was sent of them, after the time that the operator sets.
- The first answer to an idempotency key, after thirty days; callers may repeat a request for seven.

Source: gate.md section 5.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError
from service.events.retention import forget_events
from service.privacy.duties import RECORDS_YEARS
from service.privacy.erasure import Cause, check_erasable, erase_investor, name_tombstone
from service.privacy.persons import check_person_erasable, erase_person
from service.privacy.residue import sweep
from service.privacy.trail import empty_entries, leave_tombstone
from service.rules.dates import add_months
from service.storage.audit import PRESENTATIONS_ERASED
from service.storage.expired import sweep_expired
from service.storage.held_answers import forget_held_answers
from service.storage.held_lists import forget_useless_lists
from service.storage.outbox import delete_presentation_events
from service.storage.subject_keys import name_person, name_presentation
from service.storage.tables import IdempotencyRecord, Investor, PresentationRequest, StandingCredential, SubjectKey
from service.web.context import Context

SHORT = timedelta(days=30)
EVERY_S = 6 * 3600.0
SWEEP_EVERY_S = 60.0  # often, so that tables that anybody can fill stay small
_AT_ONCE = 500
_ABOUT_REQUEST = ("presentation.", "personal_data.accessed")
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RetentionReport:
    """What was erased, or would be.

    Attributes:
        investors: Of each, its organisation, and the tombstone's name; in a dry run the ref.
        persons: The same of persons at issuers; in a dry run the subject_ref.
        presentations: Answers that name no investor.
        answers: First answers to idempotency keys.
    """

    investors: list[tuple[str, str]] = field(default_factory=list)
    persons: list[tuple[str, str]] = field(default_factory=list)
    presentations: int = 0
    answers: int = 0


async def run_retention(context: Context, *, dry_run: bool = False) -> RetentionReport:
    """Erase everything that is due, a person or a page in each transaction; run again, it goes on where it ended."""
    report = RetentionReport()
    now = context.clock()
    await _erase_investors(context, report, now, dry_run=dry_run)
    await _erase_persons(context, report, now, dry_run=dry_run)
    await _erase_presentations(context, report, now, dry_run=dry_run)
    await _forget_answers(context, report, now, dry_run=dry_run)
    if not dry_run:
        await _forget_held_answers(context, now)
        await sweep_expired(context.database, now)
        await forget_events(context.database, now, kept=context.event_retention)
        async with context.database.transaction() as session:
            await forget_useless_lists(session, now)
        await sweep(context.database)
    return report


async def run_retention_forever(context: Context, *, every_s: float = EVERY_S) -> None:
    """Run it four times a day; every worker may, for what one has erased the next doesn't find."""
    while True:
        await asyncio.sleep(every_s)
        try:
            report = await run_retention(context)
        except Exception as error:  # the next run goes on
            _log.warning("retention_failed", error=type(error).__name__)
        else:
            _log.info("retention_run", investors=len(report.investors), presentations=report.presentations)


async def sweep_expired_forever(context: Context, *, every_s: float = SWEEP_EVERY_S) -> None:
    """Sweep what expired, every minute; every worker may, for rows that one holds the next leaves to it."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await sweep_expired(context.database, context.clock())
        except Exception as error:  # the next sweep goes on
            _log.warning("sweep_failed", error=type(error).__name__)


async def _erase_investors(context: Context, report: RetentionReport, now: datetime, *, dry_run: bool) -> None:
    after = ("", "")
    while page := await _list_idle(context, after, now):
        for org_id, ref in page:
            name = await _erase_if_due(context, org_id, ref, now, dry_run=dry_run)
            if name is not None:
                report.investors.append((org_id, name))
        after = page[-1]


async def _list_idle(context: Context, after: tuple[str, str], now: datetime) -> Sequence[tuple[str, str]]:
    """Return the next investors of whom nothing was heard since the longest of ordinary rules began."""
    since = _ordinary_rules_began(now)
    presented = select(StandingCredential.id).where(
        StandingCredential.org_id == Investor.org_id,
        StandingCredential.investor_ref == Investor.ref,
        StandingCredential.presented_at >= since,
    )
    query = (
        select(Investor.org_id, Investor.ref)
        .where(tuple_(col(Investor.org_id), col(Investor.ref)) > after, Investor.updated_at < since)
        .where(~presented.exists())
        .order_by(col(Investor.org_id), col(Investor.ref))
        .limit(_AT_ONCE)
    )
    async with context.database.reading() as session:
        return [(org_id, ref) for org_id, ref in (await session.exec(query)).all()]


def _ordinary_rules_began(now: datetime) -> datetime:
    """Return the end of the day six years ago: what was last touched before it is in no ordinary rule's time."""
    day = add_months(now.date(), -12 * RECORDS_YEARS)
    return datetime(day.year, day.month, day.day, tzinfo=now.tzinfo) + timedelta(days=1)


async def _erase_persons(context: Context, report: RetentionReport, now: datetime, *, dry_run: bool) -> None:
    after = ("", "")
    while page := await _list_old_persons(context, after, now):
        for org_id, subject in page:
            ref = subject.removeprefix(name_person(""))
            name = await _erase_person_if_due(context, org_id, ref, now, dry_run=dry_run)
            if name is not None:
                report.persons.append((org_id, name))
        after = page[-1]


async def _list_old_persons(context: Context, after: tuple[str, str], now: datetime) -> Sequence[tuple[str, str]]:
    query = (
        select(SubjectKey.org_id, SubjectKey.subject)
        .where(tuple_(col(SubjectKey.org_id), col(SubjectKey.subject)) > after)
        .where(col(SubjectKey.subject).startswith(name_person("")), col(SubjectKey.destroyed_at).is_(None))
        .where(SubjectKey.created_at < _ordinary_rules_began(now))
        .order_by(col(SubjectKey.org_id), col(SubjectKey.subject))
        .limit(_AT_ONCE)
    )
    async with context.database.reading() as session:
        return [(org_id, subject) for org_id, subject in (await session.exec(query)).all()]


async def _erase_person_if_due(context: Context, org_id: str, ref: str, now: datetime, *, dry_run: bool) -> str | None:
    try:
        if dry_run:
            async with context.database.reading() as session:
                await check_person_erasable(session, org_id, ref, now)
            return ref
        async with context.database.transaction() as session:
            return (await erase_person(session, org_id, ref, Cause("retention"), now)).tombstone
    except ConflictError:
        return None


async def _erase_if_due(context: Context, org_id: str, ref: str, now: datetime, *, dry_run: bool) -> str | None:
    try:
        if dry_run:
            async with context.database.reading() as session:
                await check_erasable(session, context.signer, org_id, ref, now)
            return ref
        async with context.database.transaction() as session:
            return (await erase_investor(session, context.signer, org_id, ref, Cause("retention"), now)).tombstone
    except ConflictError:
        return None


async def _erase_presentations(context: Context, report: RetentionReport, now: datetime, *, dry_run: bool) -> None:
    due = (col(PresentationRequest.investor_ref).is_(None), PresentationRequest.expires_at < now - SHORT)
    if dry_run:
        async with context.database.reading() as session:
            report.presentations = (await session.exec(select(func.count()).where(*due))).one()
        return
    while True:
        async with context.database.transaction() as session:
            query = select(PresentationRequest.org_id, PresentationRequest.id).where(*due).limit(_AT_ONCE)
            page = (await session.exec(query.with_for_update(skip_locked=True))).all()
            for org_id in sorted({org_id for org_id, _ in page}):
                await _erase_page(session, org_id, [each for owner, each in page if owner == org_id], now)
        report.presentations += len(page)
        if len(page) < _AT_ONCE:
            return


async def _erase_page(session: AsyncSession, org_id: str, ids: Sequence[str], now: datetime) -> None:
    tombstone = name_tombstone()
    keys = [name_presentation(each) for each in ids]
    await session.exec(delete(SubjectKey).where(col(SubjectKey.org_id) == org_id, col(SubjectKey.subject).in_(keys)))
    await session.exec(
        delete(PresentationRequest).where(
            col(PresentationRequest.org_id) == org_id, col(PresentationRequest.id).in_(ids)
        )
    )
    await delete_presentation_events(await session.connection(), org_id, ids)
    emptied = await empty_entries(session, org_id, ids, _ABOUT_REQUEST, tombstone=tombstone)
    more = {"cause": "retention", "bundles": []}
    leave_tombstone(session, org_id, PRESENTATIONS_ERASED, tombstone=tombstone, emptied=emptied, more=more, now=now)


async def _forget_held_answers(context: Context, now: datetime) -> None:
    more = True
    while more:
        async with context.database.transaction() as session:
            more = await forget_held_answers(await session.connection(), None, now)


async def _forget_answers(context: Context, report: RetentionReport, now: datetime, *, dry_run: bool) -> None:
    due = col(IdempotencyRecord.created_at) < now - SHORT
    if dry_run:
        async with context.database.reading() as session:
            report.answers = (await session.exec(select(func.count()).where(due))).one()
        return
    key = tuple_(col(IdempotencyRecord.org_id), col(IdempotencyRecord.key))
    page = select(IdempotencyRecord.org_id, IdempotencyRecord.key).where(due).limit(_AT_ONCE)
    found = _AT_ONCE
    while found == _AT_ONCE:
        async with context.database.transaction() as session:
            names = [tuple(row) for row in (await session.exec(page.with_for_update(skip_locked=True))).all()]
            await session.exec(delete(IdempotencyRecord).where(key.in_(names)))
        found = len(names)
        report.answers += found
