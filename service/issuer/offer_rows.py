"""Rows of ``credential_offer`` off the ORM: whoever changes one writes it at once."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.core import insert_rows, read_values, update_rows
from service.storage.rows import find_row, find_rows, get_row
from service.storage.tables import CredentialOffer


@dataclass(frozen=True, slots=True)
class Offer:
    """See ``tables.CredentialOffer``."""

    org_id: str
    id: str
    credential_configuration_id: str
    subject_ref: str
    sealed_claims: bytes
    grant_type: str
    sealed_code: bytes
    code_sha256: str
    created_at: datetime
    expires_at: datetime
    code_redeemed_at: datetime | None = None
    tx_code_digest: str | None = None
    tx_code_attempts: int = 0
    state: str = "pending"
    renews: str | None = None
    credential_expires_on: date | None = None
    deferral: str | None = None
    deferred_at: datetime | None = None
    transaction_sha256: str | None = None
    holder_jwks: list[dict[str, str]] | None = None


async def find_offer(connection: AsyncConnection, *, lock: bool = False, **key: str) -> Offer | None:
    """Return the offer with this key, if any; ``lock`` holds it until the transaction ends."""
    return await find_row(connection, Offer, CredentialOffer, key, lock=lock)


async def get_offer_row(connection: AsyncConnection, org_id: str, offer_id: str) -> Offer:
    """Return an offer that there is."""
    return await get_row(connection, Offer, CredentialOffer, {"org_id": org_id, "id": offer_id})


async def lock_offer(connection: AsyncConnection, org_id: str, offer_id: str) -> Offer:
    """Return an offer that there is, held until the transaction ends."""
    return await get_row(connection, Offer, CredentialOffer, {"org_id": org_id, "id": offer_id}, lock=True)


async def lock_renewals(connection: AsyncConnection, org_id: str, credential_id: str) -> list[Offer]:
    """Return the offers that renew a credential, newest first, held until the transaction ends."""
    found = await find_rows(connection, Offer, CredentialOffer, {"org_id": org_id, "renews": credential_id}, lock=True)
    return sorted(found, key=lambda offer: offer.id, reverse=True)


async def add_offer(connection: AsyncConnection, offer: Offer) -> None:
    """Write a new offer."""
    await insert_rows(connection, CredentialOffer, [read_values(offer)])


async def change_offer(connection: AsyncConnection, offer: Offer, **changes: Any) -> Offer:
    """Write new values into some columns of a locked offer; returns it as it is then."""
    await update_rows(connection, CredentialOffer, [{"org_id": offer.org_id, "id": offer.id, **changes}])
    return replace(offer, **changes)
