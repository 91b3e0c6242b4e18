"""Copies of documents that others publish, never replaced by an older one; and when their keys were first seen."""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.core import start_upsert
from service.storage.tables import CachedDocument, IssuerKeySighting


async def keep_document(
    session: AsyncSession, *, org_id: str, url: str, body: str, issued_at: datetime | None, fetched_at: datetime
) -> bool:
    """Insert or replace a copy; safe when several processes fetched the same document.

    Args:
        org_id: The platform whose copy it is.
        url: Key of the copy.
        body: What was fetched, verified and reduced by the caller.
        issued_at: When the publisher made it; None for documents that do not say, the latest fetch of which wins.
        fetched_at: Now.

    Returns:
        False if the copy held is newer than this one, and was left alone.
    """
    values = {"body": body, "issued_at": issued_at, "fetched_at": fetched_at}
    statement = start_upsert(CachedDocument, session.get_bind().dialect.name).values(org_id=org_id, url=url, **values)
    held = col(CachedDocument.issued_at)
    statement = statement.on_conflict_do_update(
        index_elements=["org_id", "url"],
        set_=values,
        where=held.is_(None) | (held <= issued_at) if issued_at is not None else None,
    )
    return bool((await session.exec(statement.returning(col(CachedDocument.url)))).first())


async def record_sightings(
    session: AsyncSession,
    *,
    org_id: str,
    issuer: str,
    thumbprints: Collection[str],
    absent_at: datetime | None,
    seen_at: datetime,
) -> None:
    """Remember when keys were first seen; keys that were seen before stay as they are.

    Args:
        org_id: The platform that looked.
        issuer: Whose keys they are.
        thumbprints: RFC 7638, of all keys that the issuer publishes now.
        absent_at: When the platform last looked before; None if never.
        seen_at: Now.
    """
    names = {"org_id": org_id, "issuer": issuer, "absent_at": absent_at, "first_seen_at": seen_at}
    values = [names | {"thumbprint": each} for each in thumbprints]
    if values:
        insert = start_upsert(IssuerKeySighting, session.get_bind().dialect.name).values(values)
        await session.exec(insert.on_conflict_do_nothing())
