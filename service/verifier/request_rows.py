"""Rows of ``presentation_request`` off the ORM: whoever changes one writes it at once."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.core import insert_rows, read_values, update_rows
from service.storage.rows import find_row, get_row
from service.storage.tables import PresentationRequest


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """See ``tables.PresentationRequest``."""

    org_id: str
    id: str
    purpose: str | None
    dcql_query: dict[str, Any]
    investor_ref: str | None
    response_mode: str
    client_id: str
    request_uri_method: str
    nonce: str
    wallet_state: str
    request_object: str
    expected_origins: list[str] | None
    transaction_data: list[str] | None
    redirect_uri: str | None
    same_device: bool
    sealed_decryption_key: bytes | None
    created_at: datetime
    expires_at: datetime
    state: str = "pending"
    response_code: str | None = None
    sealed_held_answer: bytes | None = None
    held_at: datetime | None = None
    sealed_answer: bytes | None = None
    answered_at: datetime | None = None


async def find_kept_request(connection: AsyncConnection, **key: str) -> KeptRequest | None:
    """Return the request with this key, if any."""
    return await find_row(connection, KeptRequest, PresentationRequest, key)


async def lock_request(connection: AsyncConnection, org_id: str, request_id: str) -> KeptRequest:
    """Return a request that there is, held until the transaction ends."""
    return await get_row(connection, KeptRequest, PresentationRequest, {"org_id": org_id, "id": request_id}, lock=True)


async def add_request(connection: AsyncConnection, row: KeptRequest) -> None:
    """Write a new request."""
    await insert_rows(connection, PresentationRequest, [read_values(row)])


async def change_request(connection: AsyncConnection, row: KeptRequest, **changes: Any) -> KeptRequest:
    """Write new values into some columns of a locked request; returns it as it is then."""
    await update_rows(connection, PresentationRequest, [{"org_id": row.org_id, "id": row.id, **changes}])
    return replace(row, **changes)
