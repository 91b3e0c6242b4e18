"""An organisation's keys: rows in the database, private halves with the Signer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, bindparam, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.jose import sign_jws
from service.errors import UnavailableError
from service.keys import Signer
from service.storage.audit import append_audit_entry
from service.storage.core import select_fields, table_of
from service.storage.outbox import add_event
from service.storage.prepared import fetch_all
from service.storage.tables import SigningKey

Header = dict[str, Any]
ISSUER, VERIFIER, GATE, LOG, ACCESS = "issuer", "verifier", "gate", "log", "access"
ENCRYPTION = "encryption"  # of requests to an issuer; the one purpose whose keys sign nothing
KEY_ALGORITHMS = {
    ISSUER: "ES256",
    VERIFIER: "ES256",
    GATE: "ES256",
    LOG: "EdDSA",
    ACCESS: "ES256",
    ENCRYPTION: "ECDH-ES",
}

# A retired key stays published until everything that it signed has run out: credentials live up to a year,
# decisions are replayed for years but carry their key in the bundle, requests and tokens live minutes.
PUBLICATION_OVERLAP = {
    ISSUER: timedelta(days=400),
    GATE: timedelta(days=3653),
    LOG: timedelta(days=3653),
    VERIFIER: timedelta(days=1),
    ACCESS: timedelta(hours=1),
    ENCRYPTION: timedelta(days=1),  # what was read from metadata before is still used
}


class NoSigningKeyError(UnavailableError):
    """The organisation has no active key for this purpose."""

    code = "no_signing_key"


async def create_signing_key(
    session: AsyncSession, signer: Signer, *, org_id: str, purpose: str, now: datetime
) -> SigningKey:
    """Make a key and record its public half; it becomes the active key of its purpose."""
    made = signer.create_key(KEY_ALGORITHMS[purpose])
    row = SigningKey(
        org_id=org_id, kid=made.kid, purpose=purpose, alg=made.alg, public_jwk=dict(made.jwk), created_at=now
    )
    session.add(row)
    append_audit_entry(
        session,
        org_id=org_id,
        kind="key.created",
        subject_id=made.kid,
        record={"purpose": purpose, "alg": made.alg, "jwk": dict(made.jwk)},
        recorded_at=now,
    )
    return row


class SignedWith(Protocol):
    """What of a key stands in the headers of what it signs."""

    @property
    def kid(self) -> str: ...
    @property
    def alg(self) -> str: ...
    @property
    def x5c(self) -> list[str] | None: ...
    @property
    def certified_from(self) -> datetime | None: ...
    @property
    def certified_until(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class ActiveKey:
    """See ``tables.SigningKey``."""

    kid: str
    alg: str
    public_jwk: dict[str, Any]
    x5c: list[str] | None
    certified_from: datetime | None
    certified_until: datetime | None


_KEYS = table_of(SigningKey)
_FIND_ACTIVE = (
    select_fields(ActiveKey, SigningKey)
    .where(_KEYS.c.org_id == bindparam("org_id"), _KEYS.c.purpose == bindparam("purpose"), _KEYS.c.retired_at.is_(None))
    .order_by(_KEYS.c.created_at.desc(), _KEYS.c.kid)
    .limit(literal_column("1"))
    .offset(literal_column("0"))  # SQLite would make a parameter of it
)


async def find_active_key(connection: AsyncConnection, org_id: str, purpose: str) -> ActiveKey:
    """Return the key that signs now, off the ORM; errors as ``get_active_key``."""
    rows = await fetch_all(connection, _FIND_ACTIVE, {"org_id": org_id, "purpose": purpose})
    if not rows:
        raise NoSigningKeyError("The organisation has no active key for this purpose.")
    return ActiveKey(*rows[0])


async def get_active_key(session: AsyncSession, org_id: str, purpose: str) -> SigningKey:
    """Return the key that signs now.

    Raises:
        NoSigningKeyError: None was made, or all are retired.
    """
    query = (
        select(SigningKey)
        .where(SigningKey.org_id == org_id, SigningKey.purpose == purpose, col(SigningKey.retired_at).is_(None))
        .order_by(col(SigningKey.created_at).desc(), col(SigningKey.kid))
        .limit(1)
    )
    row = (await session.exec(query)).first()
    if row is None:
        raise NoSigningKeyError("The organisation has no active key for this purpose.")
    return row


def is_published(now: datetime) -> ColumnElement[bool]:
    """Return the condition under which a key is shown to verifiers."""
    return or_(col(SigningKey.published_until).is_(None), col(SigningKey.published_until) > now)


async def list_published_keys(
    session: AsyncSession, org_id: str, purposes: Collection[str], now: datetime
) -> Sequence[SigningKey]:
    """Return active keys and retired ones that are still published, newest first."""
    query = (
        select(SigningKey)
        .where(
            SigningKey.org_id == org_id,
            col(SigningKey.purpose).in_(purposes),
            is_published(now),
        )
        .order_by(col(SigningKey.created_at).desc(), col(SigningKey.kid))
    )
    return (await session.exec(query)).all()


async def rotate_signing_key(
    session: AsyncSession, signer: Signer, *, org_id: str, purpose: str, now: datetime
) -> SigningKey:
    """Make a new active key; the old ones stop signing and stay published for the overlap of their purpose."""
    active = select(SigningKey).where(
        SigningKey.org_id == org_id, SigningKey.purpose == purpose, col(SigningKey.retired_at).is_(None)
    )
    replaced = (await session.exec(active)).all()
    made = await create_signing_key(session, signer, org_id=org_id, purpose=purpose, now=now)
    for old in replaced:
        old.retired_at = now
        old.published_until = now + PUBLICATION_OVERLAP[purpose]
        session.add(old)
        record = {"purpose": purpose, "replaced_by": made.kid, "published_until": old.published_until.isoformat()}
        append_audit_entry(
            session, org_id=org_id, kind="key.retired", subject_id=old.kid, record=record, recorded_at=now
        )
    data = {"purpose": purpose, "kid": made.kid, "replaced": [old.kid for old in replaced]}
    add_event(session, org_id=org_id, kind="key.rotated", data=data, subject=f"key/{purpose}", now=now)
    return made


def get_x5c(key: SignedWith, now: datetime) -> list[str] | None:
    """Return the key's certificate chain for an ``x5c`` header, None without one that is valid now.

    Leaf first, base64 DER, no trust anchor. Source: RFC 7515, section 4.1.6; HAIP 1.0, section 6.1.1.
    """
    if key.x5c is None or key.certified_from is None or key.certified_until is None:
        return None
    return key.x5c if key.certified_from <= now < key.certified_until else None


def build_header(key: SignedWith, *, typ: str, kid: str | None = None, certified_at: datetime | None = None) -> Header:
    """Build the protected header of a token that the key signs; arguments as ``sign_token``."""
    header: Header = {"alg": key.alg, "typ": typ, "kid": kid or key.kid}
    x5c = None if certified_at is None else get_x5c(key, certified_at)
    return header if x5c is None else header | {"x5c": x5c}


def sign_token(
    signer: Signer,
    key: SigningKey,
    *,
    typ: str,
    claims: Mapping[str, Any],
    kid: str | None = None,
    certified_at: datetime | None = None,
) -> str:
    """Sign a compact JWS with an organisation's key.

    Args:
        signer: Holds the private half.
        key: The key.
        typ: Of the token.
        claims: Claims set.
        kid: Replaces the bare key id where a DID URL is wanted.
        certified_at: The present instant where the key's certificates go along (``x5c``); None leaves them out.
    """
    header = build_header(key, typ=typ, kid=kid, certified_at=certified_at)
    return sign_jws(header, claims, signer.signing_function(key.kid))
