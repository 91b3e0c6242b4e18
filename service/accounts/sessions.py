"""Sessions: in which browsers somebody is signed in. The cookie holds a random secret, storage its digest."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.audit import append_audit_entry
from service.storage.database import Database
from service.storage.ids import new_id
from service.storage.tables import Account, BrowserSession, Organization

LIFETIME = timedelta(hours=12)
IDLE_LIFETIME = timedelta(minutes=30)
_SEEN_EVERY = timedelta(minutes=1)  # a page view need not write, and nobody counts idle seconds
BY_LINK, BY_PASSKEY = "link", "passkey"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who is signed in, as they are now: roles that changed since they signed in hold at once."""

    session_id: str
    org_id: str
    org_name: str
    org_roles: tuple[str, ...]
    account_id: str
    account_name: str
    roles: frozenset[str]
    language: str


def digest_secret(secret: str) -> str:
    """Return what storage keeps of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


async def start_session(session: AsyncSession, account: Account, *, method: str, now: datetime) -> str:
    """Sign an account in and return the secret for the cookie; always a new one, so that none can be planted.

    Args:
        method: ``BY_LINK`` or ``BY_PASSKEY``.
    """
    secret = secrets.token_urlsafe(32)
    row = BrowserSession(
        org_id=account.org_id,
        id=new_id("ses"),
        account_id=account.id,
        secret_sha256=digest_secret(secret),
        method=method,
        created_at=now,
        seen_at=now,
        expires_at=now + LIFETIME,
    )
    session.add(row)
    append_audit_entry(
        session,
        org_id=account.org_id,
        kind="account.signed_in",
        subject_id=account.id,
        record={"method": method, "session_id": row.id},
        recorded_at=now,
    )
    return secret


async def find_session(database: Database, secret: str, now: datetime) -> SignedIn | None:
    """Return who is signed in with a cookie's secret; None if nobody is, or not any more.

    Effects: notes, about once a minute, that the session is in use.
    """
    query = (
        select(BrowserSession, Account, Organization)
        .join(Account, (col(Account.org_id) == BrowserSession.org_id) & (col(Account.id) == BrowserSession.account_id))
        .join(Organization, col(Organization.id) == BrowserSession.org_id)
        .where(
            BrowserSession.secret_sha256 == digest_secret(secret),
            col(BrowserSession.ended_at).is_(None),
            BrowserSession.expires_at > now,
            BrowserSession.seen_at > now - IDLE_LIFETIME,
            col(Account.disabled_at).is_(None),
        )
    )
    async with database.reading() as session:
        found = (await session.exec(query)).first()
    if found is None:
        return None
    row, account, organization = found
    if now - row.seen_at >= _SEEN_EVERY:
        await _note_use(database, row, now)
    return SignedIn(
        session_id=row.id,
        org_id=row.org_id,
        org_name=organization.name,
        org_roles=tuple(organization.roles),
        account_id=account.id,
        account_name=account.name,
        roles=frozenset(account.roles),
        language=account.language,
    )


async def end_session(session: AsyncSession, secret: str, *, now: datetime) -> None:
    """Sign one browser out; a secret that opens nothing is no error."""
    await session.exec(
        update(BrowserSession)
        .where(col(BrowserSession.secret_sha256) == digest_secret(secret), col(BrowserSession.ended_at).is_(None))
        .values(ended_at=now)
    )


async def end_sessions(session: AsyncSession, org_id: str, account_id: str, *, now: datetime, but: str = "") -> None:
    """Sign an account out everywhere, or everywhere but in the browser whose cookie has the secret ``but``."""
    of_account = (col(BrowserSession.org_id) == org_id, col(BrowserSession.account_id) == account_id)
    ended = update(BrowserSession).where(*of_account, col(BrowserSession.ended_at).is_(None))
    if but:
        ended = ended.where(col(BrowserSession.secret_sha256) != digest_secret(but))
    await session.exec(ended.values(ended_at=now))


async def _note_use(database: Database, row: BrowserSession, now: datetime) -> None:
    async with database.transaction() as session:
        await session.exec(
            update(BrowserSession)
            .where(col(BrowserSession.org_id) == row.org_id, col(BrowserSession.id) == row.id)
            .values(seen_at=now)
        )
