"""What the back office sees of granted credentials: one entry per grant, never per copy, and no claims."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from service.errors import NotFoundError
from service.storage.tables import Credential, CredentialCopy


@dataclass(frozen=True, slots=True)
class CredentialView:
    """Metadata and status of one grant."""

    id: str
    credential_configuration_id: str
    subject_ref: str
    offer_id: str
    status: str
    status_reason: str | None
    status_changed_at: datetime | None
    created_at: datetime
    expires_at: datetime


async def list_credentials(
    session: AsyncSession, org_id: str, *, subject_ref: str | None, after: str | None, limit: int
) -> Sequence[CredentialView]:
    """Return grants in the order of their ids; ``limit`` counts rows."""
    query = _signed(org_id).order_by(col(Credential.id)).limit(limit)
    if subject_ref is not None:
        query = query.where(Credential.subject_ref == subject_ref)
    if after is not None:
        query = query.where(Credential.id > after)
    return [view_credential(row) for row in (await session.exec(query)).all()]


async def list_offer_credentials(session: AsyncSession, org_id: str, offer_id: str) -> Sequence[CredentialView]:
    """Return what was granted through one offer."""
    query = _signed(org_id).where(Credential.offer_id == offer_id)
    return [view_credential(row) for row in (await session.exec(query)).all()]


async def load_credential(session: AsyncSession, org_id: str, credential_id: str, *, lock: bool = False) -> Credential:
    """Return one grant.

    Raises:
        NotFoundError: None of this id, another organisation's, or never signed.
    """
    query = _signed(org_id).where(Credential.id == credential_id)
    row = (await session.exec(query.with_for_update() if lock else query)).first()
    if row is None:
        raise NotFoundError
    return row


def view_credential(row: Credential) -> CredentialView:
    """Copy a row into what may leave the service."""
    return CredentialView(
        id=row.id,
        credential_configuration_id=row.credential_configuration_id,
        subject_ref=row.subject_ref,
        offer_id=row.offer_id,
        status=row.status,
        status_reason=row.status_reason,
        status_changed_at=row.status_changed_at,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def _signed(org_id: str) -> SelectOfScalar[Credential]:
    """Leave out intents whose signature never came: no wallet holds them."""
    signed = (
        select(CredentialCopy.credential_id)
        .where(
            CredentialCopy.org_id == Credential.org_id,
            CredentialCopy.credential_id == Credential.id,
            col(CredentialCopy.signed_at).is_not(None),
        )
        .exists()
    )
    return select(Credential).where(Credential.org_id == org_id, signed)
