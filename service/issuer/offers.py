"""Credential offers: made by the back office, read by wallets until they are redeemed.

Personal data stays sealed and only as long as it is needed: claims and code are emptied when the offer is redeemed,
cancelled or found expired.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.credential_types import CredentialExpiryError, compute_expiry
from service.credentials.jose import b64url_encode, write_json
from service.errors import ConflictError, InvalidInputError, NotFoundError
from service.issuer.claims import coarsen, find_configuration, prepare_claims
from service.issuer.credential_rows import find_grant
from service.issuer.credentials import CredentialView, list_offer_credentials
from service.issuer.identity import Issuer
from service.issuer.offer_rows import Offer, add_offer, change_offer, find_offer
from service.issuer.subjects import make_person_key
from service.keys import Signer
from service.storage.audit import write_audit_entry
from service.storage.expired import DEFERRED_LIFETIME
from service.storage.ids import new_id
from service.storage.subject_keys import DataKey

PRE_AUTHORIZED_CODE_GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
AUTHORIZATION_CODE_GRANT = "authorization_code"
PRE_AUTHORIZED_CODE: Final = "pre-authorized_code"
DEFAULT_LIFETIME = timedelta(hours=1)
MAX_LIFETIME = timedelta(days=7)
TOKEN_LIFETIME = timedelta(seconds=300)
TX_CODE_LENGTH = 6
PENDING, REDEEMED, EXPIRED, CANCELLED = "pending", "redeemed", "expired", "cancelled"
HELD, RELEASED, DENIED = "held", "released", "denied"

_CODE_PURPOSE, _LINK_PURPOSE, _TX_CODE_PURPOSE = "offer-code", "offer-link", "tx-code"


class OfferRenewalError(InvalidInputError):
    """``renews`` names no credential of this person and type."""

    code = "offer_renewal_invalid"


class OfferNotPendingError(ConflictError):
    """The offer was redeemed or has expired; there is nothing to cancel."""

    code = "offer_not_pending"


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """What the back office asks for.

    Attributes:
        credential_configuration_id: Names the credential type and its format.
        claims: As parsed from JSON.
        subject_ref: The issuer's own reference to the person.
        tx_code: Whether redeeming needs a transaction code.
        lifetime: How long the offer can be redeemed.
        credential_expires_on: Last valid day of the credential, unless its claims name one.
        is_deferred: Whether the wallet gets the credential only when the issuer has released it.
        grant_type: ``pre-authorized_code``, or ``authorization_code`` to have the person agree in a browser.
        renews: Credential whose wallet may fetch this one with its refresh token.
    """

    credential_configuration_id: str
    claims: Mapping[str, Any]
    subject_ref: str
    tx_code: bool
    lifetime: timedelta = DEFAULT_LIFETIME
    credential_expires_on: date | None = None
    is_deferred: bool = False
    grant_type: str = PRE_AUTHORIZED_CODE
    renews: str | None = None


@dataclass(frozen=True, slots=True)
class MadeOffer:
    """A new offer; ``tx_code`` is shown this once and kept as a keyed digest only."""

    id: str
    credential_offer_uri: str
    deep_link: str
    web_link: str
    tx_code: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OfferView:
    """What the back office sees of an offer; ``deferral`` is held, released, denied, or None where nothing waits."""

    id: str
    state: str
    deferral: str | None
    credential_configuration_id: str
    subject_ref: str
    created_at: datetime
    expires_at: datetime
    credentials: Sequence[CredentialView]


async def create_offer(
    connection: AsyncConnection, signer: Signer, issuer: Issuer, request: OfferRequest, *, actor: str, now: datetime
) -> MadeOffer:
    """Lint the claims, seal them, and make the offer with its links.

    Args:
        actor: API client or account that offers, for the record.

    Raises:
        UnknownCredentialConfigurationError, InvalidCredentialClaimsError: See ``prepare_claims``.
        CredentialExpiryError: The credential would have expired already.
        OfferRenewalError: See ``renews``.
    """
    configuration = find_configuration(request.credential_configuration_id)
    name = configuration.kind.name
    claims = prepare_claims(issuer, name, request.claims, now=now)
    _check_expiry(name, claims, request.credential_expires_on, now)
    await _check_renewal(connection, issuer.org_id, request)
    offer_id, code = new_id("offer"), secrets.token_urlsafe(32)
    key = await make_person_key(connection, signer, issuer.org_id, request.subject_ref, now)
    tx_code = f"{secrets.randbelow(10**TX_CODE_LENGTH):0{TX_CODE_LENGTH}d}" if request.tx_code else None
    offer = Offer(
        org_id=issuer.org_id,
        id=offer_id,
        credential_configuration_id=configuration.id,
        subject_ref=request.subject_ref,
        sealed_claims=key.seal(write_json(claims), context=_claims_context(issuer.org_id, offer_id)),
        grant_type=request.grant_type,
        sealed_code=signer.seal(code.encode(), purpose=_CODE_PURPOSE),
        code_sha256=hashlib.sha256(code.encode()).hexdigest(),
        tx_code_digest=None if tx_code is None else digest_tx_code(signer, offer_id, tx_code),
        renews=request.renews,
        credential_expires_on=request.credential_expires_on,
        deferral=HELD if request.is_deferred else None,
        created_at=now,
        expires_at=now + request.lifetime,
    )
    await add_offer(connection, offer)
    said = {"client_id": actor, "subject_ref": offer.subject_ref, "tx_code": request.tx_code}
    await _audit(connection, offer, "offer.created", now, said)
    return describe_offer(signer, issuer, offer, tx_code)


async def get_offer(session: AsyncSession, org_id: str, offer_id: str, *, now: datetime) -> OfferView:
    """Return an offer of this organisation.

    Raises:
        NotFoundError: None of this id, or another organisation's.
    """
    return await view_offer(session, await load_offer(session, org_id, offer_id), now)


async def cancel_offer(session: AsyncSession, org_id: str, offer_id: str, *, now: datetime) -> OfferView:
    """Make a pending offer useless; cancelling twice is the same as once.

    Raises:
        NotFoundError: See ``get_offer``.
        OfferNotPendingError: Redeemed or expired.
    """
    row = await load_offer(session, org_id, offer_id, lock=True)
    state = offer_state(row, now)
    if state not in (PENDING, CANCELLED):
        raise OfferNotPendingError(f"The offer is {state}.")
    if state == PENDING:
        row = await close_offer(await session.connection(), row, CANCELLED, "offer.cancelled", now)
    return await view_offer(session, row, now)


async def find_offer_by_link(
    connection: AsyncConnection, signer: Signer, issuer: Issuer, link: str, *, now: datetime
) -> Offer:
    """Return the pending offer behind a public link.

    Raises:
        NotFoundError: A link that we did not make, or an offer that can no longer be redeemed: never told apart.
    """
    offer_id, _, digest = link.partition(".")
    expected = _link_digest(signer, issuer.org_id, offer_id)
    if not hmac.compare_digest(digest.encode(), expected.encode()):
        raise NotFoundError
    row = await find_offer(connection, org_id=issuer.org_id, id=offer_id)
    if row is None or offer_state(row, now) != PENDING:
        raise NotFoundError
    return row


def build_offer_object(signer: Signer, issuer: Issuer, row: Offer) -> dict[str, Any]:
    """Build the Credential Offer that a wallet reads. Source: OpenID4VCI 1.0, section 4.1.1."""
    return {
        "credential_issuer": issuer.identifier,
        "credential_configuration_ids": [row.credential_configuration_id],
        "grants": _build_grants(row, signer.unseal(row.sealed_code, purpose=_CODE_PURPOSE).decode()),
    }


def _build_grants(row: Offer, code: str) -> dict[str, Any]:
    if row.grant_type == AUTHORIZATION_CODE_GRANT:  # its transaction code is asked for on our page, not by the wallet
        return {AUTHORIZATION_CODE_GRANT: {"issuer_state": code}}
    grant: dict[str, Any] = {"pre-authorized_code": code}
    if row.tx_code_digest is not None:
        grant["tx_code"] = {"input_mode": "numeric", "length": TX_CODE_LENGTH}
    return {PRE_AUTHORIZED_CODE_GRANT: grant}


def build_deep_link(signer: Signer, issuer: Issuer, row: Offer) -> str:
    """Build the link that opens a wallet with this offer. Source: OpenID4VCI 1.0, section 4.1.3."""
    uri = f"{issuer.identifier}/credential-offers/{_link(signer, row)}"
    return "openid-credential-offer://?" + urlencode({"credential_offer_uri": uri})


def open_offered_claims(key: DataKey, row: Offer) -> dict[str, Any]:
    """Open the claims of an offer that was not closed yet, with the key of its person."""
    opened = key.unseal(row.sealed_claims, context=_claims_context(row.org_id, row.id))
    claims: dict[str, Any] = json.loads(opened)
    return claims


def _claims_context(org_id: str, offer_id: str) -> str:
    return f"offer-claims {org_id} {offer_id}"


def offer_state(row: Offer, now: datetime) -> str:
    """Return pending, redeemed, expired or cancelled; a wallet that holds a token may still finish a late offer."""
    last = row.expires_at
    if row.code_redeemed_at is not None:
        last = max(last, row.code_redeemed_at + TOKEN_LIFETIME)
    if row.deferred_at is not None:
        last = max(last, row.deferred_at + DEFERRED_LIFETIME)
    return EXPIRED if row.state == PENDING and now >= last else row.state


async def close_offer(connection: AsyncConnection, row: Offer, state: str, kind: str, now: datetime) -> Offer:
    """End an offer and forget what only a pending one needs; returns it as it is then."""
    closed = await change_offer(connection, row, state=state, sealed_claims=b"", sealed_code=b"", holder_jwks=None)
    await _audit(connection, closed, kind, now, {})
    return closed


async def load_offer(session: AsyncSession, org_id: str, offer_id: str, *, lock: bool = False) -> Offer:
    """Return an offer of this organisation.

    Raises:
        NotFoundError: None of this id, or another organisation's.
    """
    row = await find_offer(await session.connection(), lock=lock, org_id=org_id, id=offer_id)
    if row is None:
        raise NotFoundError
    return row


async def view_offer(session: AsyncSession, row: Offer, now: datetime) -> OfferView:
    """Return what the back office sees of an offer."""
    return OfferView(
        id=row.id,
        state=offer_state(row, now),
        deferral=row.deferral,
        credential_configuration_id=row.credential_configuration_id,
        subject_ref=row.subject_ref,
        created_at=row.created_at,
        expires_at=row.expires_at,
        credentials=await list_offer_credentials(session, row.org_id, row.id),
    )


def digest_tx_code(signer: Signer, offer_id: str, tx_code: str) -> str:
    """Return the keyed digest under which a transaction code is kept: six digits alone would be guessed from a hash."""
    return signer.authenticate(f"{offer_id}\x00{tx_code}".encode(), purpose=_TX_CODE_PURPOSE).hex()


def _check_expiry(name: str, claims: Mapping[str, Any], expires_on: date | None, now: datetime) -> None:
    expires_at = compute_expiry(name, claims, issued_at=coarsen(now), credential_expires_on=expires_on)
    if expires_at <= now:
        raise CredentialExpiryError("The credential would have expired already.")


async def _check_renewal(connection: AsyncConnection, org_id: str, request: OfferRequest) -> None:
    if request.renews is None:
        return
    held = await find_grant(connection, org_id=org_id, id=request.renews)
    about = None if held is None else (held.subject_ref, held.credential_configuration_id)
    if about != (request.subject_ref, request.credential_configuration_id):
        raise OfferRenewalError("No credential of this person and type has the id in renews.")


def describe_offer(signer: Signer, issuer: Issuer, row: Offer, tx_code: str | None = None) -> MadeOffer:
    """Return an offer with its links; without a code, which nobody knows any more once it was made."""
    link = _link(signer, row)
    return MadeOffer(
        id=row.id,
        credential_offer_uri=f"{issuer.identifier}/credential-offers/{link}",
        deep_link=build_deep_link(signer, issuer, row),
        web_link=f"{issuer.identifier}/offers/{link}",
        tx_code=tx_code,
        expires_at=row.expires_at,
    )


def _link(signer: Signer, row: Offer) -> str:
    """Ids sort by time and turn up in logs, so a public link also needs a digest that only we can make."""
    return f"{row.id}.{_link_digest(signer, row.org_id, row.id)}"


def _link_digest(signer: Signer, org_id: str, offer_id: str) -> str:
    return b64url_encode(signer.authenticate(f"{org_id}\x00{offer_id}".encode(), purpose=_LINK_PURPOSE)[:16])


async def _audit(connection: AsyncConnection, row: Offer, kind: str, now: datetime, more: Mapping[str, Any]) -> None:
    record = {"credential_configuration_id": row.credential_configuration_id, **more}
    await write_audit_entry(connection, org_id=row.org_id, kind=kind, subject_id=row.id, record=record, recorded_at=now)
