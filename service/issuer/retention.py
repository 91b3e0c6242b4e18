"""Forget what has no use any more. Runs with every new offer, so that nothing needs a clock of its own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from sqlalchemy import delete, null, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, or_, select

from service.storage.tables import (
    AuthorizationRequest,
    CredentialOffer,
    IssuanceToken,
    RefreshToken,
    SpentNonce,
    WalletGrant,
)

DEFERRED_LIFETIME = timedelta(days=30)  # of a transaction, from the wallet's first request
GRACE = timedelta(hours=1)  # far beyond what the clocks of two workers may differ
PAUSE = timedelta(seconds=1)
_AT_ONCE = 1_000  # many more than a worker makes between two
_swept_at: dict[str, datetime] = {}
_Expiring: TypeAlias = type[AuthorizationRequest] | type[IssuanceToken] | type[SpentNonce] | type[WalletGrant]


async def forget_expired(connection: AsyncConnection, org_id: str, *, now: datetime) -> None:
    """Empty the seals of expired offers; delete expired requests, grants, access tokens and spent nonces.

    Rows that another transaction holds are left to it, so two of these never wait for each other. Offers that follow
    one another closely leave it to the first of them.
    """
    if timedelta(0) <= now - _swept_at.get(org_id, datetime.min.replace(tzinfo=UTC)) < PAUSE:
        return
    _swept_at[org_id] = now
    before = now - GRACE
    await _empty_offers(connection, org_id, before)
    await _delete_expired(connection, org_id, before, IssuanceToken, "token_sha256")
    await _delete_expired(connection, org_id, before, SpentNonce, "nonce_sha256")
    await forget_requests(connection, org_id, now=now)
    await _delete_grants(connection, org_id, before)


async def _empty_offers(connection: AsyncConnection, org_id: str, before: datetime) -> None:
    asked_at = col(CredentialOffer.deferred_at)
    expired = (
        select(CredentialOffer.id)
        .where(
            CredentialOffer.org_id == org_id,
            CredentialOffer.expires_at < before,
            or_(asked_at.is_(None), asked_at < before - DEFERRED_LIFETIME),
            CredentialOffer.sealed_claims != b"",
        )
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = (await connection.execute(expired)).scalars().all()
    if not ids:
        return
    await connection.execute(
        update(CredentialOffer)
        .where(col(CredentialOffer.org_id) == org_id, col(CredentialOffer.id).in_(ids))
        .values(sealed_claims=b"", sealed_code=b"", holder_jwks=null())
    )


async def forget_requests(connection: AsyncConnection, org_id: str, *, now: datetime) -> None:
    """Delete expired authorization requests alone, which an index finds: anybody may be the cause of it."""
    await _delete_expired(connection, org_id, now - GRACE, AuthorizationRequest, "id")


async def _delete_grants(connection: AsyncConnection, org_id: str, before: datetime) -> None:
    ids = await _find_expired(connection, org_id, before, WalletGrant, "id")
    if not ids:
        return
    tokens = delete(RefreshToken).where(col(RefreshToken.org_id) == org_id, col(RefreshToken.grant_id).in_(ids))
    await connection.execute(tokens)
    await connection.execute(delete(WalletGrant).where(col(WalletGrant.org_id) == org_id, col(WalletGrant.id).in_(ids)))


async def _delete_expired(
    connection: AsyncConnection, org_id: str, before: datetime, table: _Expiring, key: str
) -> None:
    found = await _find_expired(connection, org_id, before, table, key)
    if not found:
        return
    await connection.execute(delete(table).where(col(table.org_id) == org_id, getattr(table, key).in_(found)))


async def _find_expired(
    connection: AsyncConnection, org_id: str, before: datetime, table: _Expiring, key: str
) -> Sequence[str]:
    query = select(getattr(table, key)).where(table.org_id == org_id, table.expires_at < before)
    found: Sequence[str] = (
        (await connection.execute(query.limit(_AT_ONCE).with_for_update(skip_locked=True))).scalars().all()
    )
    return found
