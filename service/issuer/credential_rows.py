"""Rows of ``credential`` off the ORM, for those who issue."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.rows import find_row
from service.storage.tables import Credential


@dataclass(frozen=True, slots=True)
class Grant:
    """See ``tables.Credential``."""

    org_id: str
    id: str
    offer_id: str
    credential_configuration_id: str
    subject_ref: str
    created_at: datetime
    expires_at: datetime
    status: str = "valid"


async def find_grant(connection: AsyncConnection, **key: str) -> Grant | None:
    """Return the grant with this key, if any."""
    return await find_row(connection, Grant, Credential, key)
