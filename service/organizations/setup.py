"""Keys that are there before anybody asks: the deployment's own, and those of purposes newer than an organisation."""

from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.keys import Signer
from service.organizations.organizations import KEYS_BY_ROLE
from service.storage.tables import Organization, SigningKey
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web import signing


async def create_system_keys(session: AsyncSession, signer: Signer, now: datetime) -> None:
    """Make the keys that sign access tokens and the log, unless they are there."""
    for purpose in (signing.ACCESS, signing.LOG):
        if not await signing.list_published_keys(session, SYSTEM_ORG_ID, [purpose], now):
            await signing.create_signing_key(session, signer, org_id=SYSTEM_ORG_ID, purpose=purpose, now=now)


async def create_missing_keys(session: AsyncSession, signer: Signer, now: datetime) -> None:
    """Give organisations of older versions the keys that their roles have come to need since."""
    made = set((await session.exec(select(SigningKey.org_id, SigningKey.purpose))).all())
    for organization in (await session.exec(select(Organization))).all():
        for purpose in sorted({purpose for role in organization.roles for purpose in KEYS_BY_ROLE[role]}):
            if (organization.id, purpose) not in made:
                await signing.create_signing_key(session, signer, org_id=organization.id, purpose=purpose, now=now)
