"""API clients and the OAuth2 client credentials grant."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.client_assertion import InvalidAssertionError, verify_client_assertion
from service.credentials.jose import MalformedJoseError
from service.credentials.jwk_set import load_jwk_set
from service.errors import InvalidInputError, NotFoundError, ProtocolError
from service.organizations.organizations import allowed_scopes
from service.storage.audit import append_audit_entry
from service.storage.database import Database
from service.storage.ids import new_id
from service.storage.spent_proofs import Proof, spend_proof
from service.storage.tables import ApiClient, Organization
from service.storage.tables.organizations import SYSTEM_ORG_ID


class ScopeNotAllowedError(InvalidInputError):
    """A client cannot have a scope that its organisation's roles do not give."""

    code = "scope_not_allowed"


class ClientKeysInvalidError(InvalidInputError):
    """The keys of a client can't be used: not public, of no known kind, or not told apart."""

    code = "client_keys_invalid"


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A new client's id and secret; the secret is shown once and kept as a digest. Empty for a client with keys."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def create_client(
    session: AsyncSession,
    organization: Organization,
    *,
    name: str,
    scopes: Collection[str],
    now: datetime,
    jwks: Mapping[str, Any] | None = None,
) -> ClientCredentials:
    """Record a client of an organisation.

    Args:
        jwks: Public keys of a client that authenticates with ``private_key_jwt``; None for one with a secret.

    Raises:
        ScopeNotAllowedError: See there; also if ``scopes`` is empty.
        ClientKeysInvalidError: See there.
    """
    _check_keys(jwks)
    if not scopes or not set(scopes) <= allowed_scopes(organization.roles):
        raise ScopeNotAllowedError("scopes: at least one, and only those that the organisation's roles give.")
    client_id, secret = new_id("client"), secrets.token_urlsafe(32) if jwks is None else ""
    session.add(
        ApiClient(
            org_id=organization.id,
            client_id=client_id,
            name=name,
            secret_sha256=_digest(secret) if secret else "",
            jwks=None if jwks is None else dict(jwks),
            scopes=sorted(set(scopes)),
            created_at=now,
        )
    )
    append_audit_entry(
        session,
        org_id=organization.id,
        kind="client.created",
        subject_id=client_id,
        record={"scopes": sorted(set(scopes))} | ({} if jwks is None else {"jwks": jwks}),
        recorded_at=now,
    )
    return ClientCredentials(client_id, secret, tuple(sorted(set(scopes))))


def describe_client(made: ClientCredentials) -> dict[str, Any]:
    """Return the wire form of a new client, without a secret where it has none."""
    secret = {"client_secret": made.client_secret} if made.client_secret else {}
    return {"client_id": made.client_id, **secret, "scopes": list(made.scopes)}


async def list_clients(session: AsyncSession, org_id: str, *, after: str | None, limit: int) -> Sequence[ApiClient]:
    """Return up to ``limit`` clients of an organisation behind ``after``, by id, so in the order of their making."""
    query = select(ApiClient).where(ApiClient.org_id == org_id, col(ApiClient.client_id) > (after or ""))
    return (await session.exec(query.order_by(col(ApiClient.client_id)).limit(limit))).all()


async def revoke_client(session: AsyncSession, org_id: str, client_id: str, *, now: datetime) -> ApiClient:
    """Let a client get no more tokens; those that it has run out. Revoking twice changes nothing.

    Raises:
        NotFoundError: The organisation has no such client.
    """
    row = await session.get(ApiClient, (org_id, client_id), with_for_update=True)
    if row is None:
        raise NotFoundError
    if row.revoked_at is None:
        row.revoked_at = now
        session.add(row)
        append_audit_entry(
            session, org_id=org_id, kind="client.revoked", subject_id=client_id, record={}, recorded_at=now
        )
    return row


async def authenticate_client(session: AsyncSession, client_id: str, secret: str) -> ApiClient | None:
    """Return the client whose secret this is; None otherwise, after the same work for known and unknown ids."""
    row = (await session.exec(select(ApiClient).where(ApiClient.client_id == client_id))).first()
    expected = row.secret_sha256 if row is not None else _digest("")
    matches = hmac.compare_digest(expected, _digest(secret))
    return row if row is not None and matches and row.revoked_at is None else None


async def authenticate_with_key(
    database: Database, client_id: str, assertion: str, *, expected_audience: str, now: datetime
) -> ApiClient:
    """Return the client that signed an assertion, which is spent.

    Args:
        database: Read first, and written only for an assertion that holds.
        client_id: Whom the assertion names.
        assertion: ``client_assertion`` of the request.
        expected_audience: Issuer identifier of the authorization server.
        now: Aware.

    Raises:
        InvalidAssertionError: Unknown, revoked or keyless client, or its assertion is refused or was used before.
    """
    async with database.reading() as session:
        row = (await session.exec(select(ApiClient).where(ApiClient.client_id == client_id))).first()
    if row is None or row.jwks is None or row.revoked_at is not None:
        raise InvalidAssertionError("The client is not known, or it has no keys.")
    verified = verify_client_assertion(
        assertion, load_jwk_set(row.jwks), client_id=client_id, expected_audience=expected_audience, now=now
    )
    proof = Proof("private_key_jwt", client_id, verified.jti, verified.expires_at)
    async with database.transaction() as session:
        if not await spend_proof(session, SYSTEM_ORG_ID, proof):
            raise InvalidAssertionError("The client assertion was used before.")
    return row


def _check_keys(jwks: Mapping[str, Any] | None) -> None:
    if jwks is None:
        return
    try:
        load_jwk_set(jwks)
    except MalformedJoseError as error:
        raise ClientKeysInvalidError(f"jwks: {error.detail}") from error


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
