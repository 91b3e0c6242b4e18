"""The token endpoint's work: a pre-authorized code, once, for an access token.

The token is opaque, kept as a digest and good for one offer. A bearer token lives five minutes; one that is bound to a
key of the wallet is of no use to anybody else, and lives an hour.

Source: OpenID4VCI 1.0, section 6; RFC 6749, sections 5.1 and 5.2; RFC 9396, section 7; RFC 9449, section 5.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.jose import MalformedJoseError, b64url_encode, parse_json
from service.errors import ProtocolError
from service.issuer.identity import Issuer
from service.issuer.offer_rows import Offer, change_offer, find_offer
from service.issuer.offers import (
    CANCELLED,
    PENDING,
    PRE_AUTHORIZED_CODE,
    PRE_AUTHORIZED_CODE_GRANT,
    TOKEN_LIFETIME,
    close_offer,
    digest_tx_code,
    offer_state,
)
from service.keys import Signer
from service.storage.audit import write_audit_entry
from service.storage.core import insert_rows, read_values
from service.storage.database import Database
from service.storage.expired import DEFERRED_LIFETIME
from service.storage.rows import find_row
from service.storage.tables import IssuanceToken
from service.web.dpop import challenge_dpop

MAX_TX_CODE_ATTEMPTS = 5
BOUND_TOKEN_LIFETIME = timedelta(hours=1)
DETAILS_TYPE = "openid_credential"
_CODE_REFUSED = "The pre-authorized code is not valid, was used or has expired."


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A pre-authorized code token request.

    Attributes:
        requested_ids: Configurations named in ``authorization_details``; None without.
        client_id: The wallet, the ``iss`` of its key proofs; None for an anonymous one.
        dpop_jkt: Thumbprint of the key that the token shall be bound to; None for a bearer token.
    """

    code: str
    tx_code: str | None
    requested_ids: tuple[str, ...] | None
    client_id: str | None
    dpop_jkt: str | None


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """An access token as a request brought it, and the key whose possession the request proved, if any."""

    value: str
    dpop_jkt: str | None


@dataclass(frozen=True, slots=True)
class Access:
    """An access token as it is kept; see ``tables.IssuanceToken``."""

    org_id: str
    token_sha256: str
    offer_id: str
    credential_identifier: str | None
    client_id: str | None
    dpop_jkt: str | None
    grant_id: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whom an access token is for.

    Attributes:
        client_id: The wallet, the ``iss`` of its key proofs; None for an anonymous one.
        dpop_jkt: Thumbprint of the key that the token is bound to; None for a bearer token.
        by_details: Whether it asked by ``authorization_details``, and so is given a ``credential_identifier``.
        grant_id: The wallet's grant; None for a pre-authorized code.
    """

    client_id: str | None
    dpop_jkt: str | None
    by_details: bool
    grant_id: str | None = None


def read_token_request(sent: Mapping[str, str], *, client_id: str | None, dpop_jkt: str | None) -> TokenRequest:
    """Read the form; parameters that we do not know are ignored.

    Args:
        sent: Its parameters, none of them empty.
        client_id: As ``authenticate_wallet`` found it.
        dpop_jkt: Of the DPoP proof beside the form; None without one.

    Raises:
        ProtocolError: ``unsupported_grant_type``, ``invalid_request`` or ``invalid_authorization_details``.
    """
    if "grant_type" not in sent:
        raise ProtocolError("invalid_request", "The parameter grant_type is missing.")
    if sent["grant_type"] != PRE_AUTHORIZED_CODE_GRANT:
        raise ProtocolError("unsupported_grant_type", "This grant type is not supported.")
    if "pre-authorized_code" not in sent:
        raise ProtocolError("invalid_request", "The parameter pre-authorized_code is missing.")
    details = sent.get("authorization_details")
    return TokenRequest(
        code=sent["pre-authorized_code"],
        tx_code=sent.get("tx_code"),
        requested_ids=None if details is None else read_requested_ids(details),
        client_id=client_id,
        dpop_jkt=dpop_jkt,
    )


async def exchange_code(
    database: Database, signer: Signer, issuer: Issuer, request: TokenRequest, *, now: datetime
) -> dict[str, Any]:
    """Use the code up and return the token response.

    Effects: a wrong transaction code is counted; the fifth one ends the offer.

    Raises:
        ProtocolError: ``invalid_grant``, ``invalid_request`` or ``invalid_authorization_details``.
    """
    answer = await database.write(lambda connection: _try_exchange(connection, signer, issuer, request, now))
    if isinstance(answer, ProtocolError):  # raised only now: the transaction above keeps the count of wrong guesses
        raise answer
    return answer


async def _try_exchange(
    connection: AsyncConnection, signer: Signer, issuer: Issuer, request: TokenRequest, now: datetime
) -> dict[str, Any] | ProtocolError:
    offer = await _lock_offer(connection, issuer.org_id, request.code)
    if offer is None or offer.code_redeemed_at is not None or offer_state(offer, now) != PENDING:
        return ProtocolError("invalid_grant", _CODE_REFUSED)
    if (offer.tx_code_digest is None) != (request.tx_code is None):
        wanted = "needs a" if request.tx_code is None else "takes no"
        return ProtocolError("invalid_request", f"This code {wanted} tx_code.")
    if not matches_tx_code(signer, offer, request.tx_code):
        await count_wrong_guess(connection, offer, now)
        return ProtocolError("invalid_grant", "The transaction code is wrong.")
    # Whoever asks for more is granted what there is (RFC 9396, section 7).
    if request.requested_ids is not None and offer.credential_configuration_id not in request.requested_ids:
        return ProtocolError("invalid_authorization_details", "The offer is for another credential configuration.")
    holder = TokenHolder(request.client_id, request.dpop_jkt, by_details=request.requested_ids is not None)
    return await redeem_offer(connection, offer, holder, now=now)


async def _lock_offer(connection: AsyncConnection, org_id: str, code: str) -> Offer | None:
    digest = hashlib.sha256(code.encode()).hexdigest()
    grant_type = PRE_AUTHORIZED_CODE  # an issuer_state is no code
    return await find_offer(connection, lock=True, org_id=org_id, code_sha256=digest, grant_type=grant_type)


def matches_tx_code(signer: Signer, offer: Offer, tx_code: str | None) -> bool:
    """Tell whether ``tx_code`` is the offer's; None is right where there is none."""
    if offer.tx_code_digest is None or tx_code is None:
        return offer.tx_code_digest is tx_code
    return hmac.compare_digest(offer.tx_code_digest, digest_tx_code(signer, offer.id, tx_code))


async def count_wrong_guess(connection: AsyncConnection, offer: Offer, now: datetime) -> Offer:
    """Count a wrong transaction code; the fifth ends the offer. Returns it as it is then."""
    counted = await change_offer(connection, offer, tx_code_attempts=offer.tx_code_attempts + 1)
    if counted.tx_code_attempts < MAX_TX_CODE_ATTEMPTS:
        return counted
    return await close_offer(connection, counted, CANCELLED, "offer.guessed", now)


async def redeem_offer(
    connection: AsyncConnection, offer: Offer, holder: TokenHolder, *, now: datetime
) -> dict[str, Any]:
    """Use the offer's code up and return the token response."""
    last = offer.expires_at if holder.dpop_jkt is None else max(offer.expires_at, now + BOUND_TOKEN_LIFETIME)
    offer = await change_offer(connection, offer, code_redeemed_at=now, expires_at=last)
    await write_audit_entry(
        connection, org_id=offer.org_id, kind="offer.code_used", subject_id=offer.id, record={}, recorded_at=now
    )
    return await issue_token(connection, offer, holder, now=now)


async def issue_token(
    connection: AsyncConnection, offer: Offer, holder: TokenHolder, *, now: datetime
) -> dict[str, Any]:
    """Make an access token for one offer and return the token response."""
    token = secrets.token_urlsafe(32)
    identifier = _name_dataset(offer) if holder.by_details else None
    lifetime = _choose_lifetime(offer, holder)
    kept = Access(
        org_id=offer.org_id,
        token_sha256=digest_token(token),
        offer_id=offer.id,
        credential_identifier=identifier,
        client_id=holder.client_id,
        dpop_jkt=holder.dpop_jkt,
        grant_id=holder.grant_id,
        expires_at=now + lifetime,
    )
    await insert_rows(connection, IssuanceToken, [read_values(kept)])
    answer: dict[str, Any] = {
        "access_token": token,
        "token_type": "Bearer" if holder.dpop_jkt is None else "DPoP",
        "expires_in": int(lifetime.total_seconds()),
    }
    if identifier is not None:
        answer["authorization_details"] = [
            {
                "type": DETAILS_TYPE,
                "credential_configuration_id": offer.credential_configuration_id,
                "credential_identifiers": [identifier],
            }
        ]
    return answer


def _name_dataset(offer: Offer) -> str:
    """Return the ``credential_identifier``: the same with every token, and without the offer's code nobody's guess."""
    digest = hashlib.sha256(f"credential-identifier\x00{offer.code_sha256}".encode()).digest()
    return b64url_encode(digest[:12])


def _choose_lifetime(offer: Offer, holder: TokenHolder) -> timedelta:
    if holder.dpop_jkt is None:
        return TOKEN_LIFETIME
    # Whoever waits for a credential comes back with this token; only its holder can use it.
    return BOUND_TOKEN_LIFETIME if offer.deferral is None else DEFERRED_LIFETIME


def digest_token(token: str) -> str:
    """Return the digest under which an access token is kept; it is random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


async def find_token(connection: AsyncConnection, org_id: str, token: PresentedToken, *, now: datetime) -> Access:
    """Return the record of an access token.

    Raises:
        ProtocolError: ``invalid_token``, 401 with a challenge: unknown at this issuer, expired, or bound to another key
            than the request proved, where none is another one too.

    Source: RFC 6750, section 3.1; RFC 9449, sections 7.1 and 7.2.
    """
    key = {"org_id": org_id, "token_sha256": digest_token(token.value)}
    row = await find_row(connection, Access, IssuanceToken, key)
    if row is None or now >= row.expires_at or row.dpop_jkt != token.dpop_jkt:
        raise invalid_token("The access token is not valid or has expired.")
    return row


def invalid_token(detail: str) -> ProtocolError:
    """Make the error for a missing or unusable access token."""
    challenge = f'Bearer realm="issuer", error="invalid_token", error_description="{detail}", '
    challenge += challenge_dpop(realm="issuer", error="invalid_token")
    return ProtocolError("invalid_token", detail, status=401, challenge=challenge)


def read_requested_ids(text: str) -> tuple[str, ...]:
    """Return the configurations that ``authorization_details`` name; fields that we do not know are ignored.

    Raises:
        ProtocolError: ``invalid_request`` or ``invalid_authorization_details``.

    Source: OpenID4VCI 1.0, section 5.1.1; RFC 9396, section 5.
    """
    try:
        details = parse_json(text)
    except MalformedJoseError:
        raise ProtocolError("invalid_request", "The parameter authorization_details is not JSON.") from None
    if not isinstance(details, list) or not details or not all(_is_known_detail(entry) for entry in details):
        raise ProtocolError(
            "invalid_authorization_details", "Each entry must be of type openid_credential and name a configuration."
        )
    return tuple(entry["credential_configuration_id"] for entry in details)


def _is_known_detail(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("type") == DETAILS_TYPE
        and isinstance(entry.get("credential_configuration_id"), str)
    )
