"""The ``sub`` of a person at an issuer: random, and the same in every KYC credential of that person."""

import secrets
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.tables import Subject


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
