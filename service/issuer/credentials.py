"""What the back office sees of granted credentials: one entry per grant, never per copy, and no claims."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import tuple_
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


@dataclass(frozen=True, slots=True)
class CredentialFilter:
    """Which grants a list holds; None leaves a question out. ``expires_from`` is within, ``expires_before`` not."""

    subject_ref: str | None = None
    status: str | None = None
    expires_from: datetime | None = None
    expires_before: datetime | None = None

    @property
    def is_by_expiry(self) -> bool:
        """Whether the list is in the order of expiry."""
        return self.expires_from is not None or self.expires_before is not None


async def list_credentials(
    session: AsyncSession, org_id: str, wanted: CredentialFilter, *, after: str | None, limit: int
) -> Sequence[CredentialView]:
    """Return grants in the order of their ids, or of their expiry where that is asked for; ``limit`` counts rows."""
    query = _narrow(_signed(org_id), wanted).limit(limit)
    query = query.order_by(*([col(Credential.expires_at)] if wanted.is_by_expiry else []), col(Credential.id))
    if after is not None and wanted.is_by_expiry:
        last = select(Credential.expires_at).where(Credential.org_id == org_id, Credential.id == after)
        place = (await session.exec(last)).first()
        if place is None:
            return []
        query = query.where(tuple_(col(Credential.expires_at), col(Credential.id)) > (place, after))
    elif after is not None:
        query = query.where(Credential.id > after)
    return [view_credential(row) for row in (await session.exec(query)).all()]


def _narrow(query: SelectOfScalar[Credential], wanted: CredentialFilter) -> SelectOfScalar[Credential]:
    if wanted.subject_ref is not None:
        query = query.where(Credential.subject_ref == wanted.subject_ref)
    if wanted.status is not None:
        query = query.where(Credential.status == wanted.status)
    if wanted.expires_from is not None:
        query = query.where(Credential.expires_at >= wanted.expires_from)
    if wanted.expires_before is not None:
        query = query.where(Credential.expires_at < wanted.expires_before)
    return query


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
