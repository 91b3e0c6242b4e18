"""The versions of a security and of its offerings, newest first: what its terms were, since when, and what changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.tables import OfferingVersion, SecurityVersion


@dataclass(frozen=True, slots=True)
class Change:
    """One member of the terms that a version set otherwise than the one before; ``caps.holders`` is within ``caps``."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Version:
    """One version and what it changed; the first one changed nothing."""

    number: int
    terms: Mapping[str, Any]
    recorded_at: datetime
    changes: tuple[Change, ...]


async def list_security_versions(
    session: AsyncSession, org_id: str, security_id: str, *, before: int | None, limit: int
) -> list[Version]:
    """Return up to ``limit`` versions of an organisation's security below ``before``, newest first."""
    query = select(SecurityVersion).where(SecurityVersion.org_id == org_id, SecurityVersion.security_id == security_id)
    if before is not None:
        query = query.where(SecurityVersion.version < before)
    rows = (await session.exec(query.order_by(col(SecurityVersion.version).desc()).limit(limit + 1))).all()
    return _compare_rows(rows, limit)


async def list_offering_versions(
    session: AsyncSession, org_id: str, security_id: str, offering_id: str, *, before: int | None, limit: int
) -> list[Version]:
    """Return up to ``limit`` versions of an offering below ``before``, newest first."""
    query = select(OfferingVersion).where(
        OfferingVersion.org_id == org_id,
        OfferingVersion.security_id == security_id,
        OfferingVersion.offering_id == offering_id,
    )
    if before is not None:
        query = query.where(OfferingVersion.version < before)
    rows = (await session.exec(query.order_by(col(OfferingVersion.version).desc()).limit(limit + 1))).all()
    return _compare_rows(rows, limit)


def _compare_rows(rows: Sequence[SecurityVersion | OfferingVersion], limit: int) -> list[Version]:
    older: list[SecurityVersion | OfferingVersion | None] = [*rows[1:], None]
    return [
        Version(row.version, row.document, row.recorded_at, _compare(before, row))
        for row, before in zip(rows[:limit], older, strict=False)
    ]


def _compare(
    before: SecurityVersion | OfferingVersion | None, after: SecurityVersion | OfferingVersion
) -> tuple[Change, ...]:
    return () if before is None else tuple(list_changes(before.document, after.document))


def list_changes(before: Mapping[str, Any], after: Mapping[str, Any], *, prefix: str = "") -> Iterator[Change]:
    """Yield what differs between two terms, by path."""
    for name in dict.fromkeys((*after, *before)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from list_changes(old, new, prefix=f"{prefix}{name}.")
        elif old != new:
            yield Change(f"{prefix}{name}", old, new)
