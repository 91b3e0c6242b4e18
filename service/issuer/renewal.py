"""Renew many credentials at once: an offer of the same claims for each whose claims may be signed today.

A renewal is no review. It states nothing new, and dates of what was verified stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.configurations import CONFIGURATIONS
from service.credentials.credential_types import compute_expiry
from service.errors import ConflictError, ServiceError
from service.issuer.claims import coarsen
from service.issuer.credentials import load_credential
from service.issuer.grant_claims import open_grant_claims
from service.issuer.identity import Issuer
from service.issuer.offers import DEFAULT_LIFETIME, MadeOffer, OfferRequest, create_offer
from service.issuer.status import REVOKED, CredentialRevokedError
from service.issuer.subjects import open_person_key
from service.keys import Signer
from service.storage.tables import Credential, CredentialOffer

_SCREENING, _SUSPENDED = "aml-screening", "suspended"


class RenewalSuspendedError(ConflictError):
    """The credential is suspended: reinstate it first, or review the person."""

    code = "renewal_suspended"


class RenewalNeedsScreeningError(ConflictError):
    """A screening says what lists held at its time; it is made anew and not renewed."""

    code = "renewal_needs_screening"


class RenewalClaimsGoneError(ConflictError):
    """The credential was granted before its claims were kept; make an offer by hand."""

    code = "renewal_claims_gone"


class RenewalPendingError(ConflictError):
    """An offer that renews this credential waits to be fetched."""

    code = "renewal_pending"


class RenewalGainsNothingError(ConflictError):
    """The new credential would end no later than the old one: the person has to be reviewed."""

    code = "renewal_gains_nothing"


@dataclass(frozen=True, slots=True)
class RenewalRequest:
    """How the renewals are offered; see ``OfferRequest``."""

    tx_code: bool = True
    lifetime: timedelta = DEFAULT_LIFETIME
    credential_expires_on: date | None = None


async def renew_credentials(
    session: AsyncSession,
    signer: Signer,
    issuer: Issuer,
    credential_ids: Sequence[str],
    request: RenewalRequest,
    *,
    actor: str,
    now: datetime,
) -> Sequence[MadeOffer | ServiceError]:
    """Offer each credential anew; what cannot be is answered with its reason and spoils no other.

    Args:
        credential_ids: Each once.
        actor: API client or account that renews, for the record.
    """
    renew = partial(_try_renewing, session, signer, issuer, request=request, actor=actor, now=now)
    renewed = {each: await renew(each) for each in sorted(credential_ids)}  # two calls lock no rows crosswise
    return [renewed[each] for each in credential_ids]


async def _try_renewing(
    session: AsyncSession,
    signer: Signer,
    issuer: Issuer,
    credential_id: str,
    *,
    request: RenewalRequest,
    actor: str,
    now: datetime,
) -> MadeOffer | ServiceError:
    try:
        async with session.begin_nested():
            return await _renew(session, signer, issuer, credential_id, request, actor, now)
    except ServiceError as error:
        return error


async def _renew(
    session: AsyncSession,
    signer: Signer,
    issuer: Issuer,
    credential_id: str,
    request: RenewalRequest,
    actor: str,
    now: datetime,
) -> MadeOffer:
    row = await load_credential(session, issuer.org_id, credential_id, lock=True)
    kind = CONFIGURATIONS[row.credential_configuration_id].kind.name
    await _check_renewable(session, row, kind, now)
    connection = await session.connection()
    claims = open_grant_claims(await open_person_key(connection, signer, issuer.org_id, row.subject_ref), row)
    if claims is None:
        raise RenewalClaimsGoneError("The credential was granted before its claims were kept.")
    if "birthdate" in claims:
        claims.pop("age_over_18", None)  # people grow older
    _check_gain(row, kind, claims, request, now)
    offer = OfferRequest(
        credential_configuration_id=row.credential_configuration_id,
        claims=claims,
        subject_ref=row.subject_ref,
        tx_code=request.tx_code,
        lifetime=request.lifetime,
        credential_expires_on=request.credential_expires_on,
        renews=row.id,
    )
    return await create_offer(connection, signer, issuer, offer, actor=actor, now=now)


async def _check_renewable(session: AsyncSession, row: Credential, kind: str, now: datetime) -> None:
    if row.status == REVOKED:
        raise CredentialRevokedError("The credential is revoked, which is final.")
    if row.status == _SUSPENDED:
        raise RenewalSuspendedError("The credential is suspended.")
    if kind == _SCREENING:
        raise RenewalNeedsScreeningError("A screening is made anew and not renewed.")
    waiting = select(CredentialOffer.id).where(
        CredentialOffer.org_id == row.org_id,
        CredentialOffer.renews == row.id,
        CredentialOffer.state == "pending",
        CredentialOffer.expires_at > now,
    )
    if (await session.exec(waiting.limit(1))).first() is not None:
        raise RenewalPendingError("An offer that renews this credential waits to be fetched.")


def _check_gain(row: Credential, kind: str, claims: dict[str, Any], request: RenewalRequest, now: datetime) -> None:
    ends_at = compute_expiry(kind, claims, issued_at=coarsen(now), credential_expires_on=request.credential_expires_on)
    if ends_at <= row.expires_at:
        raise RenewalGainsNothingError("The new credential would end no later than the old one.")
