"""API clients and the OAuth2 client credentials grant."""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import InvalidInputError, ProtocolError
from service.organizations.organizations import allowed_scopes
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import ApiClient, Organization


class ScopeNotAllowedError(InvalidInputError):
    """A client cannot have a scope that its organisation's roles do not give."""

    code = "scope_not_allowed"


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A new client's id and secret; the secret is shown once and kept as a digest."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def create_client(
    session: AsyncSession, organization: Organization, *, name: str, scopes: Collection[str], now: datetime
) -> ClientCredentials:
    """Record a client of an organisation.

    Raises:
        ScopeNotAllowedError: See there; also if ``scopes`` is empty.
    """
    if not scopes or not set(scopes) <= allowed_scopes(organization.roles):
        raise ScopeNotAllowedError("scopes: at least one, and only those that the organisation's roles give.")
    client_id, secret = new_id("client"), secrets.token_urlsafe(32)
    session.add(
        ApiClient(
            org_id=organization.id,
            client_id=client_id,
            name=name,
            secret_sha256=_digest(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
        )
    )
    append_audit_entry(
        session,
        org_id=organization.id,
        kind="client.created",
        subject_id=client_id,
        record={"scopes": sorted(set(scopes))},
        recorded_at=now,
    )
    return ClientCredentials(client_id, secret, tuple(sorted(set(scopes))))


async def authenticate_client(session: AsyncSession, client_id: str, secret: str) -> ApiClient | None:
    """Return the client whose secret this is; None otherwise, after the same work for known and unknown ids."""
    row = (await session.exec(select(ApiClient).where(ApiClient.client_id == client_id))).first()
    expected = row.secret_sha256 if row is not None else _digest("")
    matches = hmac.compare_digest(expected, _digest(secret))
    return row if row is not None and matches and row.revoked_at is None else None


def grant_scopes(client: ApiClient, requested: str | None) -> frozenset[str]:
    """Return the scopes of a new token: those asked for, or all of the client's.

    Raises:
        ProtocolError: ``invalid_scope`` (RFC 6749, section 5.2).
    """
    if requested is None or not requested.strip():
        return frozenset(client.scopes)
    wanted = frozenset(requested.split())
    if not wanted <= set(client.scopes):
        raise ProtocolError("invalid_scope", "The client may not have this scope.")
    return wanted
