"""The authorization endpoint's work: a wallet's pushed request, opened in one browser, answered once by the person.

Nobody has an account with us. What is granted waits in an offer, ``issuer_state`` leads to it, and its transaction code
is the secret that the person logs in with (docs/decisions).

Source: RFC 6749, section 4.1; RFC 9126; RFC 9700, sections 2.1 and 4; OpenID4VCI 1.0, section 5; HAIP 1.0, section 4.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ProtocolError
from service.issuer.authorization_parameters import PushedRequest
from service.issuer.identity import Issuer
from service.issuer.offer_rows import Offer, find_offer
from service.issuer.offers import AUTHORIZATION_CODE_GRANT, PENDING, offer_state
from service.issuer.requesters import Requester
from service.issuer.tokens import count_wrong_guess, matches_tx_code
from service.keys import Signer
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import AuthorizationRequest

REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"
REQUEST_URI_LIFETIME = timedelta(seconds=60)
PAGE_LIFETIME = timedelta(minutes=10)
CODE_LIFETIME = timedelta(seconds=60)
ALLOWED, DENIED = "allowed", "denied"
_FORM_PURPOSE = "consent-form"
GONE = "The request was answered already, has expired, or belongs to another browser."
NOT_PUSHED = "A wallet has to push its request first (RFC 9126)."


@dataclass(frozen=True, slots=True)
class OpenedRequest:
    """A request in the one browser that may answer it.

    Attributes:
        row: The request.
        offer: What waits for the person; None if nothing does any more, or no offer led here.
        browser: Secret of the browser, for its cookie.
        wrong_code: Whether the transaction code that was just given is wrong.
    """

    row: AuthorizationRequest
    offer: Offer | None
    browser: str
    wrong_code: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person did with the form of the page."""

    request_id: str
    seal: str
    allowed: bool
    tx_code: str | None


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """Where the browser goes next, and the parameters that it takes along, ``iss`` included."""

    request_id: str
    redirect_uri: str
    parameters: Mapping[str, str]

    @property
    def location(self) -> str:
        """The address with the parameters behind those that it has. Source: RFC 6749, section 3.1.2."""
        return self.redirect_uri + ("&" if "?" in self.redirect_uri else "?") + urlencode(self.parameters)


async def push_request(
    session: AsyncSession, issuer: Issuer, pushed: PushedRequest, requester: Requester, *, now: datetime
) -> str:
    """Keep a request for a minute and return its ``request_uri``.

    Raises:
        ProtocolError: ``invalid_request`` if its ``issuer_state`` leads to no waiting offer of this issuer, or if it
            proves another key than ``dpop_jkt``; ``invalid_scope`` or ``invalid_authorization_details`` if the offer
            is for something else.
    """
    offer = None if pushed.issuer_state is None else await _find_offer(session, issuer, pushed.issuer_state, now)
    if offer is not None and offer.credential_configuration_id not in (*pushed.scope_ids, *pushed.detail_ids):
        error = "invalid_authorization_details" if pushed.detail_ids else "invalid_scope"
        raise ProtocolError(error, "The offer is for another credential configuration.")
    if requester.dpop_jkt is not None and pushed.dpop_jkt not in (None, requester.dpop_jkt):  # RFC 9449, section 10.1
        raise ProtocolError("invalid_request", "The parameter dpop_jkt and the DPoP proof name different keys.")
    reference = secrets.token_urlsafe(32)
    session.add(
        AuthorizationRequest(
            org_id=issuer.org_id,
            id=new_id("areq"),
            request_uri_sha256=_digest(reference),
            client_id=requester.client_id,
            redirect_uri=pushed.redirect_uri,
            state=pushed.state,
            code_challenge=pushed.code_challenge,
            dpop_jkt=pushed.dpop_jkt or requester.dpop_jkt,
            instance_jkt=requester.instance_jkt,
            scope_ids=list(pushed.scope_ids),
            detail_ids=list(pushed.detail_ids),
            offer_id=None if offer is None else offer.id,
            expires_at=now + REQUEST_URI_LIFETIME,
        )
    )
    return REQUEST_URI_PREFIX + reference


async def open_request(
    session: AsyncSession,
    issuer: Issuer,
    *,
    request_uri: str,
    client_id: str,
    cookies: Mapping[str, str],
    now: datetime,
) -> OpenedRequest:
    """Open a pushed request in the browser that comes first; that one may load the page again until it answers.

    Raises:
        ProtocolError: ``invalid_request``: not pushed here by this client, expired, answered, or opened elsewhere.
    """
    if not request_uri.startswith(REQUEST_URI_PREFIX):
        raise ProtocolError("invalid_request", GONE)
    digest = _digest(request_uri.removeprefix(REQUEST_URI_PREFIX))
    query = select(AuthorizationRequest).where(
        AuthorizationRequest.org_id == issuer.org_id,
        AuthorizationRequest.request_uri_sha256 == digest,
        AuthorizationRequest.client_id == client_id,
    )
    row = (await session.exec(query.with_for_update())).first()
    if row is None or row.outcome is not None or now >= row.expires_at:
        raise ProtocolError("invalid_request", GONE)
    browser = cookies.get(cookie_name(row.id), "")
    if row.browser_sha256 is None:
        browser = secrets.token_urlsafe(32)
        row.browser_sha256, row.expires_at = _digest(browser), now + PAGE_LIFETIME
        session.add(row)
    _check_browser(row, browser)
    return OpenedRequest(row, await _load_waiting(session, row, now), browser)


async def answer_request(
    session: AsyncSession, signer: Signer, issuer: Issuer, answer: Answer, *, cookies: Mapping[str, str], now: datetime
) -> AuthorizationResponse | OpenedRequest:
    """Take the person's answer, once.

    Returns:
        Where to send the browser, with a code or an error; or the request again, if the transaction code was wrong.

    Raises:
        ProtocolError: ``invalid_request``: no such request, expired, answered, another browser, or not our form.

    Effects: a wrong transaction code is counted; the fifth one ends the offer.
    """
    query = select(AuthorizationRequest).where(
        AuthorizationRequest.org_id == issuer.org_id, AuthorizationRequest.id == answer.request_id
    )
    row = (await session.exec(query.with_for_update())).first()
    if row is None or row.outcome is not None or now >= row.expires_at:
        raise ProtocolError("invalid_request", GONE)
    browser = cookies.get(cookie_name(row.id), "")
    _check_browser(row, browser)
    if not hmac.compare_digest(make_form_seal(signer, row.id, browser).encode(), answer.seal.encode()):
        raise ProtocolError("invalid_request", GONE)
    offer = await _load_waiting(session, row, now, lock=True)
    if offer is None or not answer.allowed:
        return _deny(session, issuer, row, "The person declined." if offer else "No offer waits here.", now)
    if not matches_tx_code(signer, offer, answer.tx_code):
        if answer.tx_code is None:  # nothing was guessed
            return OpenedRequest(row, offer, browser, wrong_code=True)
        offer = await count_wrong_guess(await session.connection(), offer, now)
        if offer_state(offer, now) != PENDING:
            return _deny(session, issuer, row, "The code of the offer was guessed too often.", now)
        return OpenedRequest(row, offer, browser, wrong_code=True)
    return _allow(session, issuer, row, now)


def make_form_seal(signer: Signer, request_id: str, browser: str) -> str:
    """Return what the form of the page has to bring back, so that no other page can answer in its stead."""
    return signer.authenticate(f"{request_id}\x00{browser}".encode(), purpose=_FORM_PURPOSE).hex()


def cookie_name(request_id: str) -> str:
    """Return the name of the cookie that ties a request to a browser; each request has its own."""
    return f"authorize_{request_id}"


async def _find_offer(session: AsyncSession, issuer: Issuer, issuer_state: str, now: datetime) -> Offer:
    offer = await find_offer(
        await session.connection(),
        org_id=issuer.org_id,
        code_sha256=_digest(issuer_state),
        grant_type=AUTHORIZATION_CODE_GRANT,  # a pre-authorized code leads to no page
    )
    if offer is None or not _is_waiting(offer, now):
        raise ProtocolError("invalid_request", "The issuer_state leads to no offer that waits here.")
    return offer


async def _load_waiting(
    session: AsyncSession, row: AuthorizationRequest, now: datetime, *, lock: bool = False
) -> Offer | None:
    if row.offer_id is None:
        return None
    offer = await find_offer(await session.connection(), lock=lock, org_id=row.org_id, id=row.offer_id)
    return offer if offer is not None and _is_waiting(offer, now) else None


def _is_waiting(offer: Offer, now: datetime) -> bool:
    return offer.code_redeemed_at is None and offer_state(offer, now) == PENDING


def _check_browser(row: AuthorizationRequest, browser: str) -> None:
    if row.browser_sha256 is None or not hmac.compare_digest(row.browser_sha256, _digest(browser)):
        raise ProtocolError("invalid_request", GONE)


def _allow(session: AsyncSession, issuer: Issuer, row: AuthorizationRequest, now: datetime) -> AuthorizationResponse:
    code = secrets.token_urlsafe(32)
    row.outcome, row.code_sha256, row.code_expires_at = ALLOWED, _digest(code), now + CODE_LIFETIME
    return _finish(session, issuer, row, {"code": code}, now)


def _deny(
    session: AsyncSession, issuer: Issuer, row: AuthorizationRequest, why: str, now: datetime
) -> AuthorizationResponse:
    row.outcome = DENIED
    return _finish(session, issuer, row, {"error": "access_denied", "error_description": why}, now)


def _finish(
    session: AsyncSession, issuer: Issuer, row: AuthorizationRequest, parameters: Mapping[str, str], now: datetime
) -> AuthorizationResponse:
    session.add(row)
    if row.offer_id is not None:
        record = {"client_id": row.client_id, "outcome": row.outcome}
        append_audit_entry(
            session, org_id=row.org_id, kind="offer.answered", subject_id=row.offer_id, record=record, recorded_at=now
        )
    state = {} if row.state is None else {"state": row.state}
    return AuthorizationResponse(row.id, row.redirect_uri, {**parameters, **state, "iss": issuer.identifier})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
