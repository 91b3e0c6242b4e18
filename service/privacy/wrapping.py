"""Wrap every person's key anew and destroy what wrapped it before, so that old copies of the database say nothing.

A copy of the database from before an erasure holds the erased person's key, wrapped. Once the key that wrapped it is
destroyed, the copy opens only with a copy of the keystore from then.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import tuple_, update
from sqlmodel import col, select

from service.storage.subject_keys import key_purpose
from service.storage.tables import SubjectKey
from service.web.context import Context

GRACE = timedelta(hours=1)  # far longer than a transaction that has just wrapped with the older key may take
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a run did: keys of people wrapped anew, and numbers of the wrapping keys destroyed and left."""

    wrapped: int
    destroyed: list[int]
    left: list[int]


async def renew_wrapping(context: Context) -> Renewal:
    """Take the next step: make a new wrapping key and wrap with it, or an hour later destroy the older ones.

    Safe to repeat, also after a crash. Two runs an hour apart make a whole renewal.
    """
    signer = context.signer
    *older, _ = signer.list_wrapping_keys() or [signer.create_wrapping_key()]
    if not older:
        signer.create_wrapping_key()
    wrapped = await _wrap_all(context)
    before = context.clock() - GRACE
    due = [each for each in older if datetime.fromtimestamp(signer.wrapping_key_superseded_at(each), UTC) < before]
    for number in due:
        signer.destroy_wrapping_key(number)
    return Renewal(wrapped, due, signer.list_wrapping_keys())


async def _wrap_all(context: Context) -> int:
    changed, after = 0, ("", "")
    while True:
        async with context.database.transaction() as session:
            place = tuple_(col(SubjectKey.org_id), col(SubjectKey.subject))
            query = (
                select(SubjectKey)
                .where(place > after, col(SubjectKey.destroyed_at).is_(None))
                .order_by(col(SubjectKey.org_id), col(SubjectKey.subject))
                .limit(_AT_ONCE)
            )
            rows = (await session.exec(query.with_for_update())).all()
            connection = await session.connection()
            for row in rows:
                wrapped = context.signer.rewrap_data_key(row.wrapped_key, purpose=key_purpose(row.org_id, row.subject))
                if wrapped is not None:
                    where = (col(SubjectKey.org_id) == row.org_id, col(SubjectKey.subject) == row.subject)
                    await connection.execute(update(SubjectKey).where(*where).values(wrapped_key=wrapped))
                    changed += 1
        if len(rows) < _AT_ONCE:
            return changed
        after = (rows[-1].org_id, rows[-1].subject)
