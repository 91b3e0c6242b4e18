"""Under which name and key the log signs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.encoding import b64url_decode
from service.credentials.signed_note import VerifierKey, format_vkey
from service.storage.core import read_rows
from service.storage.tables import SigningKey
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web.signing import LOG, NoSigningKeyError, list_published_keys

LOG_PATH = "/log"


def log_url(base_url: str) -> str:
    """Return the prefix of the log's addresses."""
    return base_url + LOG_PATH


def log_origin(base_url: str) -> str:
    """Return the log's name: its address without the scheme.

    Source: C2SP tlog-checkpoint, "Note text".
    """
    parts = urlsplit(log_url(base_url))
    return parts.netloc + parts.path


@dataclass(frozen=True, slots=True)
class LogKeyRow:
    """See ``tables.SigningKey``."""

    kid: str
    public_jwk: Mapping[str, Any]
    created_at: datetime
    retired_at: datetime | None


async def read_log_key(connection: AsyncConnection) -> LogKeyRow:
    """Return the key that signs the log now.

    Raises:
        NoSigningKeyError: None was made, or all are retired.
    """
    rows = await read_rows(connection, LogKeyRow, SigningKey, ("purpose", "org_id"), [(LOG, SYSTEM_ORG_ID)])
    active = sorted((row for row in rows if row.retired_at is None), key=lambda row: row.kid)
    if not active:
        raise NoSigningKeyError("The log has no active key.")
    return max(active, key=lambda row: row.created_at)


def make_verifier_key(key: SigningKey | LogKeyRow, base_url: str) -> VerifierKey:
    """Return the public half of a log key under the log's name."""
    return VerifierKey(log_origin(base_url), b64url_decode(key.public_jwk["x"]))


async def list_log_keys(session: AsyncSession, base_url: str, now: datetime) -> list[VerifierKey]:
    """Return the key that signs now, and after it all that signed what may still be shown."""
    keys = await list_published_keys(session, SYSTEM_ORG_ID, [LOG], now)
    return [make_verifier_key(key, base_url) for key in sorted(keys, key=lambda key: bool(key.retired_at))]


async def describe_log(session: AsyncSession, base_url: str, now: datetime) -> dict[str, Any]:
    """Return address and keys of the log: ``vkey`` signs now, ``vkeys`` are all that signed what may still be shown."""
    vkeys = [format_vkey(key) for key in await list_log_keys(session, base_url, now)]
    return {"url": log_url(base_url), "vkey": vkeys[0] if vkeys else None, "vkeys": vkeys}
