"""Keys that belong to the deployment itself."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.keys import Signer
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web import signing


async def create_system_keys(session: AsyncSession, signer: Signer, now: datetime) -> None:
    """Make the keys that sign access tokens and the log, unless they are there."""
    for purpose in (signing.ACCESS, signing.LOG):
        if not await signing.list_published_keys(session, SYSTEM_ORG_ID, [purpose], now):
            await signing.create_signing_key(session, signer, org_id=SYSTEM_ORG_ID, purpose=purpose, now=now)
