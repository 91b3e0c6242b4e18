"""Keys of people's data: one for each person whom an organisation knows, wrapped by the keystore.

Nothing here outlives the read that it belongs to. Opening a key costs microseconds, so that none is kept in memory,
where it would survive its destruction.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select

from service.storage.core import read_rows
from service.storage.ids import new_id
from service.storage.rows import insert_new_rows
from service.storage.tables import SubjectKey

AT_ONCE = 5_000  # SQLite takes 32,766 parameters, PostgreSQL's driver 32,767


class Cipher(Protocol):
    """A key that was opened."""

    def seal(self, data: bytes, *, context: str) -> bytes:
        """Encrypt for storage."""

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Open what was sealed for the same context."""


class KeyWrapper(Protocol):
    """Who wraps keys: the ``Signer`` of ``service.keys``."""

    def create_data_key(self, *, purpose: str) -> bytes:
        """Make a key and return it wrapped."""

    def open_data_key(self, wrapped: bytes, *, purpose: str) -> Cipher:
        """Open a wrapped key that was made for the same purpose."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """One subject's key, opened; ``id`` stays what it is when the key is wrapped anew or destroyed."""

    id: str
    cipher: Cipher

    def seal(self, data: bytes, *, context: str) -> bytes:
        """Encrypt for storage; only ``unseal`` with the same context opens it."""
        return self.cipher.seal(data, context=context)

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Open what was sealed for the same context.

        Raises:
            KeystoreError: Altered, or sealed with another key or for another context.
        """
        return self.cipher.unseal(sealed, context=context)


@dataclass(frozen=True, slots=True)
class _Row:
    """See ``tables.SubjectKey``."""

    id: str
    subject: str
    wrapped_key: bytes
    destroyed_at: datetime | None


def name_investor(ref: str) -> str:
    """Return the subject that an investor of a platform is."""
    return f"investor/{ref}"


def name_presentation(request_id: str) -> str:
    """Return the subject that the holder is who answers a request which names no investor."""
    return f"presentation/{request_id}"


def name_person(subject_ref: str) -> str:
    """Return the subject that a person is whom an issuer reviews."""
    return f"person/{subject_ref}"


async def read_subject_keys(
    connection: AsyncConnection, wrapper: KeyWrapper, org_id: str, subjects: Collection[str]
) -> dict[str, DataKey]:
    """Open the keys of many subjects with one query.

    Returns:
        Subject to key; a subject without a key, or whose key was destroyed, is left out.

    Raises:
        KeystoreError: A key was altered, or what wrapped it is gone.
    """
    rows = await _read_rows(connection, org_id, "subject", subjects)
    return {row.subject: _open(wrapper, org_id, row) for row in rows}


async def read_keys_by_id(
    connection: AsyncConnection, wrapper: KeyWrapper, org_id: str, ids: Collection[str]
) -> dict[str, DataKey]:
    """Open keys by their ids; errors and what is left out as ``read_subject_keys``."""
    rows = await _read_rows(connection, org_id, "id", ids)
    return {row.id: _open(wrapper, org_id, row) for row in rows}


async def _read_rows(connection: AsyncConnection, org_id: str, column: str, values: Collection[str]) -> list[_Row]:
    """Read by the name of a column; who has no key any more has no row."""
    wanted, rows = list(values), list[_Row]()
    for start in range(0, len(wanted), AT_ONCE):
        keys = [(org_id, value) for value in wanted[start : start + AT_ONCE]]
        rows += await read_rows(connection, _Row, SubjectKey, ("org_id", column), keys)
    return [row for row in rows if row.destroyed_at is None]


def _open(wrapper: KeyWrapper, org_id: str, row: _Row) -> DataKey:
    return open_subject_key(wrapper, org_id, row.subject, row.wrapped_key, key_id=row.id)


def open_subject_key(wrapper: KeyWrapper, org_id: str, subject: str, wrapped: bytes, *, key_id: str) -> DataKey:
    """Open one wrapped key that was read with the rows that it is for; errors as ``read_subject_keys``."""
    return DataKey(key_id, wrapper.open_data_key(wrapped, purpose=key_purpose(org_id, subject)))


def key_purpose(org_id: str, subject: str) -> str:
    """Return what binds a wrapped key to its subject."""
    return f"subject {org_id} {subject}"


async def find_subject_key(connection: AsyncConnection, org_id: str, subject: str) -> str | None:
    """Return the id of a subject's key, held until the transaction ends; None if there is none."""
    query = select(SubjectKey.id).where(
        SubjectKey.org_id == org_id, SubjectKey.subject == subject, col(SubjectKey.destroyed_at).is_(None)
    )
    return (await connection.execute(query.with_for_update())).scalar_one_or_none()


async def destroy_subject_key(
    connection: AsyncConnection, org_id: str, subject: str, *, tombstone: str, now: datetime
) -> None:
    """Empty a subject's key for good, if there is one; the row stays, under a name that leads to nobody."""
    change = (
        update(SubjectKey)
        .where(col(SubjectKey.org_id) == org_id, col(SubjectKey.subject) == subject)
        .values(subject=tombstone, wrapped_key=b"", destroyed_at=now)
    )
    await connection.execute(change)


async def ensure_subject_key(
    connection: AsyncConnection, wrapper: KeyWrapper, org_id: str, subject: str, now: datetime
) -> DataKey:
    """Return a subject's key, made at the first call."""
    found = await read_subject_keys(connection, wrapper, org_id, [subject])
    if not found:
        made = wrapper.create_data_key(purpose=key_purpose(org_id, subject))
        values = {"org_id": org_id, "subject": subject, "id": new_id("key"), "wrapped_key": made, "created_at": now}
        await insert_new_rows(connection, SubjectKey, [values])
        found = await read_subject_keys(connection, wrapper, org_id, [subject])  # another's, if it was first
    return found[subject]
