"""Sweep what has expired, everybody's, in pieces that hold no lock for long."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import delete, null, text, tuple_, update
from sqlmodel import SQLModel, col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.core import table_of
from service.storage.database import Database
from service.storage.tables import (
    AuthorizationRequest,
    BrowserSession,
    CredentialOffer,
    IssuanceToken,
    RefreshToken,
    SignInLink,
    SpentNonce,
    SpentProof,
    WalletGrant,
)

AT_ONCE = 500
GRACE = timedelta(hours=1)  # far beyond what the clocks of two workers may differ
DEFERRED_LIFETIME = timedelta(days=30)  # of a credential that a wallet waits for, from its first request
_Sweep: TypeAlias = Callable[[AsyncSession, datetime], Awaitable[int]]


async def sweep_expired(database: Database, now: datetime) -> None:
    """Delete what expired: tokens, requests, grants, links, sessions, spent nonces and proofs; empty seals of offers.

    Rows that another transaction holds are left to it.
    """
    for sweep in (_empty_offers, _delete_grants, *map(_deleting, _TABLES)):
        await _repeat(database, sweep, now - GRACE)


async def _repeat(database: Database, sweep: _Sweep, before: datetime) -> None:
    found = AT_ONCE
    while found == AT_ONCE:
        async with database.transaction() as session:
            found = await sweep(session, before)


_TABLES: tuple[type[SQLModel], ...] = (
    IssuanceToken,
    SpentNonce,
    SpentProof,
    AuthorizationRequest,
    SignInLink,
    BrowserSession,
)


def _deleting(table: type[SQLModel]) -> _Sweep:
    keys, expires_at = list(table_of(table).primary_key), table_of(table).c.expires_at

    async def sweep(session: AsyncSession, before: datetime) -> int:
        query = select(*keys).where(expires_at < before).limit(AT_ONCE).with_for_update(skip_locked=True)
        found = [tuple(row) for row in (await session.exec(query)).all()]
        await session.exec(delete(table).where(tuple_(*keys).in_(found)))
        return len(found)

    return sweep


async def _delete_grants(session: AsyncSession, before: datetime) -> int:
    key = (col(WalletGrant.org_id), col(WalletGrant.id))
    query = select(*key).where(WalletGrant.expires_at < before).limit(AT_ONCE).with_for_update(skip_locked=True)
    found = [tuple(row) for row in (await session.exec(query)).all()]
    tokens = tuple_(col(RefreshToken.org_id), col(RefreshToken.grant_id)).in_(found)
    await session.exec(delete(RefreshToken).where(tokens))
    await session.exec(delete(WalletGrant).where(tuple_(*key).in_(found)))
    return len(found)


async def _empty_offers(session: AsyncSession, before: datetime) -> int:
    asked_at = col(CredentialOffer.deferred_at)
    query = (
        select(CredentialOffer.id)
        .where(
            CredentialOffer.expires_at < before,
            or_(asked_at.is_(None), asked_at < before - DEFERRED_LIFETIME),
            text("length(sealed_claims) > 0"),  # as its index says
        )
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    found = (await session.exec(query)).all()
    emptied = update(CredentialOffer).where(col(CredentialOffer.id).in_(found))
    await session.exec(emptied.values(sealed_claims=b"", sealed_code=b"", holder_jwks=null()))
    return len(found)
