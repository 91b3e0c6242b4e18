"""Grants of wallets: refresh tokens that go on, one after the other, until they end or one comes back.

Each use gives a new token. The one before stays good until the new one is used: whoever lost an answer asks again, and
the lost token is dead then. Any other that comes again was copied, and ends the grant. What it is good for: another
access token while the offer waits, and later the offers that renew its credential, for which nobody is asked again.

Source: RFC 6749, section 6; RFC 9700, section 4.14; FAPI 2.0 Security Profile, section 5.3.2.1; OpenID4VCI 1.0,
section 13.5.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ProtocolError
from service.issuer.credential_rows import Grant, find_grant
from service.issuer.identity import Issuer
from service.issuer.offer_rows import Offer, lock_offer, lock_renewals
from service.issuer.offers import CANCELLED, PENDING, close_offer, offer_state
from service.issuer.requesters import Requester
from service.issuer.status import REVOKED
from service.issuer.tokens import TokenHolder, issue_token, redeem_offer
from service.storage.audit import append_audit_entry
from service.storage.database import Database
from service.storage.rows import find_row
from service.storage.tables import (
    AuthorizationRequest,
    IssuanceToken,
    RefreshToken,
    WalletGrant,
)

REFRESH_TOKEN_GRANT = "refresh_token"  # noqa: S105  # the name of a grant type
GRANT_LIFETIME = timedelta(days=365)  # HAIP 1.0, section 4.4: whoever comes later starts anew
_REFUSED = "The refresh token is not valid, was used, has expired or was revoked."


def add_grant(
    session: AsyncSession,
    request: AuthorizationRequest,
    offer_id: str,
    requester: Requester,
    *,
    by_details: bool,
    now: datetime,
) -> str:
    """Record what a code gave, and return its first refresh token."""
    token = secrets.token_urlsafe(32)
    grant = WalletGrant(
        org_id=request.org_id,
        id=request.id,
        offer_id=offer_id,
        client_id=requester.client_id,
        dpop_jkt=requester.dpop_jkt,
        instance_jkt=requester.instance_jkt,
        by_details=by_details,
        newest_sha256=_digest(token),
        expires_at=now + GRANT_LIFETIME,
    )
    session.add(grant)
    session.add(RefreshToken(org_id=grant.org_id, token_sha256=grant.newest_sha256, grant_id=grant.id))
    return token


async def revoke_grant(session: AsyncSession, org_id: str, grant_id: str, kind: str, now: datetime) -> None:
    """End a grant: its tokens are dead, and an offer that it has not fetched yet is withdrawn; once is enough."""
    query = select(WalletGrant).where(WalletGrant.org_id == org_id, WalletGrant.id == grant_id)
    grant = (await session.exec(query.with_for_update())).first()
    if grant is None or grant.revoked_at is not None:
        return
    grant.revoked_at = grant.expires_at = now  # nobody needs the row any longer
    session.add(grant)
    await session.exec(
        delete(IssuanceToken).where(col(IssuanceToken.org_id) == org_id, col(IssuanceToken.grant_id) == grant_id)
    )
    append_audit_entry(session, org_id=org_id, kind=kind, subject_id=grant.offer_id, record={}, recorded_at=now)
    connection = await session.connection()
    offer = await lock_offer(connection, org_id, grant.offer_id)
    if offer.state == PENDING:
        await close_offer(connection, offer, CANCELLED, "offer.cancelled", now)


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """A refresh token request; ``scope`` may not ask for more than there is."""

    token: str
    scope: str | None


def read_refresh_request(form: Mapping[str, str]) -> RefreshRequest:
    """Read the form of an authenticated client.

    Raises:
        ProtocolError: ``invalid_request``.
    """
    if not form.get("refresh_token"):
        raise ProtocolError("invalid_request", "The parameter refresh_token is missing.")
    return RefreshRequest(form["refresh_token"], form.get("scope") or None)


async def refresh(
    database: Database, issuer: Issuer, request: RefreshRequest, requester: Requester, *, now: datetime
) -> dict[str, Any]:
    """Exchange a refresh token for an access token and the next refresh token.

    Effects: a token that comes again after its successor was used ends the grant.

    Raises:
        ProtocolError: ``invalid_grant`` or ``invalid_scope``.
    """
    async with database.transaction() as session:
        answer = await _try_refresh(session, issuer, request, requester, now)
    if isinstance(answer, ProtocolError):  # raised only now, as the transaction keeps that the grant ended
        raise answer
    return answer


async def _try_refresh(
    session: AsyncSession, issuer: Issuer, request: RefreshRequest, requester: Requester, now: datetime
) -> dict[str, Any] | ProtocolError:
    refused = ProtocolError("invalid_grant", _REFUSED)
    digest = _digest(request.token)
    grant = await _lock_grant(session, issuer.org_id, digest)
    if grant is None or not _belongs_to(grant, requester):
        return refused
    if grant.revoked_at is not None or now >= grant.expires_at:
        return refused
    if digest not in (grant.newest_sha256, grant.previous_sha256):
        await revoke_grant(session, grant.org_id, grant.id, "grant.refresh_token_replayed", now)
        return refused
    offer, is_renewal = await _choose_offer(session, grant, now)
    if offer is None:
        return refused
    if request.scope is not None and request.scope != offer.credential_configuration_id:
        return ProtocolError("invalid_scope", "The grant is for another credential configuration.")
    grant.offer_id = offer.id
    token = _rotate(session, grant, used=digest)
    give = redeem_offer if is_renewal else issue_token
    holder = TokenHolder(grant.client_id, requester.dpop_jkt, grant.by_details, grant_id=grant.id)
    answer = await give(await session.connection(), offer, holder, now=now)
    scope = {} if grant.by_details else {"scope": offer.credential_configuration_id}
    return answer | {"refresh_token": token} | scope


async def _lock_grant(session: AsyncSession, org_id: str, digest: str) -> WalletGrant | None:
    token = await session.get(RefreshToken, (org_id, digest))
    if token is None:
        return None
    query = select(WalletGrant).where(WalletGrant.org_id == org_id, WalletGrant.id == token.grant_id)
    return (await session.exec(query.with_for_update())).first()


def _belongs_to(grant: WalletGrant, requester: Requester) -> bool:
    same_wallet = (grant.client_id, grant.instance_jkt) == (requester.client_id, requester.instance_jkt)
    return same_wallet and grant.dpop_jkt in (None, requester.dpop_jkt)


async def _choose_offer(session: AsyncSession, grant: WalletGrant, now: datetime) -> tuple[Offer | None, bool]:
    """Return the newest waiting offer that renews the grant's credential, else the grant's own; and which it is.

    None once the credential was revoked: then nothing is renewed without asking the person again.
    """
    connection = await session.connection()
    own = await lock_offer(connection, grant.org_id, grant.offer_id)
    held = await find_grant(connection, org_id=grant.org_id, offer_id=own.id)
    if held is None:
        if offer_state(own, now) == PENDING and not await is_withdrawn(connection, own, grant.id):
            return own, False
        held = await _load_renewed(connection, own)  # a renewal that was never fetched leaves the credential before it
    if held is None or held.status == REVOKED:
        return None, False
    for offer in await lock_renewals(connection, grant.org_id, held.id):
        if offer.code_redeemed_at is None and offer_state(offer, now) == PENDING:
            return offer, True
    return own, False


async def is_withdrawn(connection: AsyncConnection, offer: Offer, grant_id: str | None) -> bool:
    """Tell whether the offer renews a revoked credential and the grant's person was never asked about it."""
    if offer.renews is None or grant_id is None:
        return False
    asked = await find_row(connection, _Asked, AuthorizationRequest, {"org_id": offer.org_id, "id": grant_id})
    held = await _load_renewed(connection, offer)
    is_revoked = held is not None and held.status == REVOKED
    return is_revoked and (asked is None or asked.offer_id != offer.id)


@dataclass(frozen=True, slots=True)
class _Asked:
    """See ``tables.AuthorizationRequest``."""

    offer_id: str | None


async def _load_renewed(connection: AsyncConnection, offer: Offer) -> Grant | None:
    return None if offer.renews is None else await find_grant(connection, org_id=offer.org_id, id=offer.renews)


def _rotate(session: AsyncSession, grant: WalletGrant, *, used: str) -> str:
    token = secrets.token_urlsafe(32)
    grant.previous_sha256, grant.newest_sha256 = used, _digest(token)
    session.add(grant)
    session.add(RefreshToken(org_id=grant.org_id, token_sha256=grant.newest_sha256, grant_id=grant.id))
    return token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
