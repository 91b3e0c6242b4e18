"""A person at an issuer: the key of what is kept of them, and their ``sub``.

A ``sub`` is random, and the same in every KYC credential of that person.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import NotFoundError
from service.keys import Signer
from service.storage.rows import find_row, get_row, insert_new_rows
from service.storage.subject_keys import DataKey, ensure_subject_key, name_person, read_subject_keys
from service.storage.tables import Subject


async def make_person_key(
    connection: AsyncConnection, signer: Signer, org_id: str, subject_ref: str, now: datetime
) -> DataKey:
    """Return the person's key, made at the first call."""
    return await ensure_subject_key(connection, signer, org_id, name_person(subject_ref), now)


async def open_person_key(connection: AsyncConnection, signer: Signer, org_id: str, subject_ref: str) -> DataKey:
    """Return the person's key.

    Raises:
        NotFoundError: The person was erased.
    """
    name = name_person(subject_ref)
    keys = await read_subject_keys(connection, signer, org_id, [name])
    if name not in keys:
        raise NotFoundError
    return keys[name]


@dataclass(frozen=True, slots=True)
class _Subject:
    """See ``tables.Subject``."""

    sub: str


async def get_subject(connection: AsyncConnection, org_id: str, subject_ref: str, *, now: datetime) -> str:
    """Return the subject's ``sub``, made at the first call."""
    key = {"org_id": org_id, "subject_ref": subject_ref}
    found = await find_row(connection, _Subject, Subject, key)
    if found is None:
        await insert_new_rows(connection, Subject, [{**key, "sub": secrets.token_urlsafe(16), "created_at": now}])
        return (await get_row(connection, _Subject, Subject, key)).sub  # another issuance may have been first
    return found.sub
