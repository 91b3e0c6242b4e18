"""Deferred issuance: the wallet proves its keys now and gets the credential when the issuer says so.

An offer that was made ``deferred`` is held. The first Credential Request is verified in full; what is kept of it are
the public keys that were proved. The wallet comes back with the transaction's id until the offer is released or denied.

Source: OpenID4VCI 1.0, sections 8.3 and 9.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, ProtocolError
from service.issuer.credential_request import read_object
from service.issuer.encryption import ResponseEncryption, read_response_encryption
from service.issuer.offer_rows import Offer, change_offer
from service.issuer.offers import (
    CANCELLED,
    DENIED,
    HELD,
    PENDING,
    RELEASED,
    OfferView,
    close_offer,
    load_offer,
    offer_state,
    view_offer,
)
from service.storage.audit import write_audit_entry

MIN_INTERVAL_S, MAX_INTERVAL_S = 5, 3600


class OfferNotHeldError(ConflictError):
    """The offer was not made to be deferred, or its issuance was decided already."""

    code = "offer_not_held"


@dataclass(frozen=True, slots=True)
class DeferredRequest:
    """A wallet that comes back, and how it wants its answer: what it asked for the first time does not count."""

    transaction_id: str
    encryption: ResponseEncryption | None


def read_deferred_request(body: bytes, *, is_encrypted: bool) -> DeferredRequest:
    """Parse the body; members that we do not know are ignored.

    Raises:
        ProtocolError: ``invalid_credential_request`` or ``invalid_encryption_parameters``.

    Source: OpenID4VCI 1.0, section 9.1.
    """
    raw = read_object(body)
    encryption = read_response_encryption(raw, is_encrypted=is_encrypted)
    transaction_id = raw.get("transaction_id")
    if not isinstance(transaction_id, str):
        raise ProtocolError("invalid_credential_request", "The parameter transaction_id is missing or not a string.")
    return DeferredRequest(transaction_id, encryption)


async def begin_transaction(
    connection: AsyncConnection, offer: Offer, keys: Sequence[Mapping[str, Any]], *, now: datetime
) -> dict[str, Any]:
    """Keep the proved keys of a held offer and return the answer; a later request takes the place of an earlier one.

    Args:
        keys: Public JWKs, distinct.
    """
    transaction_id = secrets.token_urlsafe(24)
    offer = await change_offer(
        connection,
        offer,
        transaction_sha256=_digest(transaction_id),
        holder_jwks=[dict(key) for key in keys],
        deferred_at=offer.deferred_at or now,
    )
    await _audit(connection, offer, "offer.deferred", now)
    return describe_wait(offer, transaction_id, now)


def describe_wait(offer: Offer, transaction_id: str, now: datetime) -> dict[str, Any]:
    """Return the answer of a transaction that is not decided; the longer it took, the later to ask again."""
    waited_s = int((now - (offer.deferred_at or now)).total_seconds())
    interval = min(max(waited_s // 10, MIN_INTERVAL_S), MAX_INTERVAL_S)
    return {"transaction_id": transaction_id, "interval": interval}


def check_transaction(offer: Offer, transaction_id: str) -> None:
    """Check that the transaction is the one of this offer.

    Raises:
        ProtocolError: ``invalid_transaction_id``.
    """
    if not hmac.compare_digest(_digest(transaction_id), offer.transaction_sha256 or ""):
        raise invalid_transaction()


def invalid_transaction() -> ProtocolError:
    """Make the error for a transaction that is unknown here or was used."""
    return ProtocolError("invalid_transaction_id", "No such transaction, or its credential was obtained.")


async def release_offer(session: AsyncSession, org_id: str, offer_id: str, *, now: datetime) -> OfferView:
    """Let a held offer's credential be issued; releasing twice is the same as once.

    Raises:
        NotFoundError: None of this id, or another organisation's.
        OfferNotHeldError: Not deferred, denied, or past its end.
    """
    row, connection = await load_offer(session, org_id, offer_id, lock=True), await session.connection()
    if row.deferral != RELEASED:
        _check_held(row, now)
        row = await change_offer(connection, row, deferral=RELEASED)
        await _audit(connection, row, "offer.released", now)
    return await view_offer(session, row, now)


async def deny_offer(session: AsyncSession, org_id: str, offer_id: str, *, now: datetime) -> OfferView:
    """End a held offer without a credential; denying twice is the same as once. Errors as ``release_offer``."""
    row, connection = await load_offer(session, org_id, offer_id, lock=True), await session.connection()
    if row.deferral != DENIED:
        _check_held(row, now)
        row = await change_offer(connection, row, deferral=DENIED)
        row = await close_offer(connection, row, CANCELLED, "offer.denied", now)
    return await view_offer(session, row, now)


def _check_held(row: Offer, now: datetime) -> None:
    if row.deferral != HELD or offer_state(row, now) != PENDING:
        raise OfferNotHeldError(f"The offer is {row.deferral or 'not deferred'} and {offer_state(row, now)}.")


def _digest(transaction_id: str) -> str:
    return hashlib.sha256(transaction_id.encode()).hexdigest()


async def _audit(connection: AsyncConnection, row: Offer, kind: str, now: datetime) -> None:
    record = {"credential_configuration_id": row.credential_configuration_id}
    await write_audit_entry(connection, org_id=row.org_id, kind=kind, subject_id=row.id, record=record, recorded_at=now)
