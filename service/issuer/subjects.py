"""A person at an issuer: the key of what is kept of them, and their ``sub``.

A ``sub`` is random, and the same in every KYC credential of that person.
"""

import secrets
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import NotFoundError
from service.keys import Signer
from service.storage.subject_keys import DataKey, ensure_subject_key, name_person, read_subject_keys
from service.storage.tables import Subject


async def make_person_key(
    session: AsyncSession, signer: Signer, org_id: str, subject_ref: str, now: datetime
) -> DataKey:
    """Return the person's key, made at the first call."""
    return await ensure_subject_key(await session.connection(), signer, org_id, name_person(subject_ref), now)


async def open_person_key(session: AsyncSession, signer: Signer, org_id: str, subject_ref: str) -> DataKey:
    """Return the person's key.

    Raises:
        NotFoundError: The person was erased.
    """
    name = name_person(subject_ref)
    keys = await read_subject_keys(await session.connection(), signer, org_id, [name])
    if name not in keys:
        raise NotFoundError
    return keys[name]


async def get_subject(session: AsyncSession, org_id: str, subject_ref: str, *, now: datetime) -> str:
    """Return the subject's ``sub``, made at the first call."""
    row = await session.get(Subject, (org_id, subject_ref))
    if row is not None:
        return row.sub
    made = Subject(org_id=org_id, subject_ref=subject_ref, sub=secrets.token_urlsafe(16), created_at=now)
    try:
        async with session.begin_nested():
            session.add(made)
    except IntegrityError:  # another issuance for the same person was first
        return (await session.get_one(Subject, (org_id, subject_ref))).sub
    return made.sub
