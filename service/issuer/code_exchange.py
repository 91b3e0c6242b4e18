"""The token endpoint's work for authorization codes: one code, once, for tokens of a grant.

Source: RFC 6749, sections 4.1.2 and 4.1.3; RFC 7636, section 4.6; RFC 9449, section 10; OpenID4VCI 1.0, section 6.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ProtocolError
from service.issuer.authorization_parameters import verify_code_verifier
from service.issuer.identity import Issuer
from service.issuer.offer_rows import lock_offer
from service.issuer.offers import PENDING, offer_state
from service.issuer.requesters import Requester
from service.issuer.tokens import TokenHolder, read_requested_ids, redeem_offer
from service.issuer.wallet_grants import add_grant, revoke_grant
from service.storage.database import Database
from service.storage.tables import AuthorizationRequest

_REFUSED = "The authorization code is not valid, was used or has expired."


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """An authorization code token request.

    Attributes:
        requested_ids: Configurations named in ``authorization_details``; None without.
    """

    code: str
    redirect_uri: str
    code_verifier: str
    requested_ids: tuple[str, ...] | None


def read_code_request(form: Mapping[str, str]) -> CodeRequest:
    """Read the form of an authenticated client.

    Raises:
        ProtocolError: ``invalid_request``, ``invalid_grant`` or ``invalid_authorization_details``.
    """
    for name in ("code", "redirect_uri", "code_verifier"):
        if not form.get(name):
            error = "invalid_grant" if name == "code_verifier" else "invalid_request"  # RFC 7636, section 4.6
            raise ProtocolError(error, f"The parameter {name} is missing.")
    details = form.get("authorization_details")
    return CodeRequest(
        code=form["code"],
        redirect_uri=form["redirect_uri"],
        code_verifier=form["code_verifier"],
        requested_ids=read_requested_ids(details) if details else None,
    )


async def exchange_authorization_code(
    database: Database, issuer: Issuer, request: CodeRequest, requester: Requester, *, now: datetime
) -> dict[str, Any]:
    """Use the code up and return the token response, with a refresh token.

    Effects: whatever its client presents the code with, it is used up; a second use revokes what the first one gave.

    Raises:
        ProtocolError: ``invalid_grant`` or ``invalid_authorization_details``.
    """
    async with database.transaction() as session:
        answer = await _try_exchange(session, issuer, request, requester, now)
    if isinstance(answer, ProtocolError):  # raised only now, as the transaction keeps that the code was used
        raise answer
    return answer


async def _try_exchange(
    session: AsyncSession, issuer: Issuer, request: CodeRequest, requester: Requester, now: datetime
) -> dict[str, Any] | ProtocolError:
    row = await _lock_request(session, issuer.org_id, request.code)
    if row is None or (row.client_id, row.instance_jkt) != (requester.client_id, requester.instance_jkt):
        return ProtocolError("invalid_grant", _REFUSED)
    if row.code_used_at is not None:
        await revoke_grant(session, row.org_id, row.id, "grant.code_replayed", now)
        return ProtocolError("invalid_grant", _REFUSED)
    row.code_used_at = now
    session.add(row)
    problem = _find_problem(row, request, requester.dpop_jkt, now)
    assert row.offer_id is not None  # without an offer no code is given
    connection = await session.connection()
    offer = await lock_offer(connection, row.org_id, row.offer_id)
    if problem is not None or offer.code_redeemed_at is not None or offer_state(offer, now) != PENDING:
        return ProtocolError("invalid_grant", problem or _REFUSED)
    offered_id = offer.credential_configuration_id
    # Whoever asks for more is granted what there is (RFC 9396, section 7).
    if request.requested_ids is not None and offered_id not in request.requested_ids:
        return ProtocolError("invalid_authorization_details", "The code is for another credential configuration.")
    by_details = offered_id in row.detail_ids or request.requested_ids is not None
    refresh_token = add_grant(session, row, offer.id, requester, by_details=by_details, now=now)
    holder = TokenHolder(requester.client_id, requester.dpop_jkt, by_details, grant_id=row.id)
    answer = await redeem_offer(connection, offer, holder, now=now)
    return answer | {"refresh_token": refresh_token} | ({} if by_details else {"scope": offered_id})


async def _lock_request(session: AsyncSession, org_id: str, code: str) -> AuthorizationRequest | None:
    query = select(AuthorizationRequest).where(
        AuthorizationRequest.org_id == org_id,
        AuthorizationRequest.code_sha256 == hashlib.sha256(code.encode()).hexdigest(),
    )
    return (await session.exec(query.with_for_update())).first()


def _find_problem(row: AuthorizationRequest, request: CodeRequest, dpop_jkt: str | None, now: datetime) -> str | None:
    if row.code_expires_at is None or now >= row.code_expires_at:
        return _REFUSED
    if request.redirect_uri != row.redirect_uri:
        return "The redirect_uri is not the one of the authorization request."
    if not verify_code_verifier(request.code_verifier, challenge=row.code_challenge):
        return "The code_verifier does not match the code_challenge."
    if row.dpop_jkt is not None and row.dpop_jkt != dpop_jkt:
        return "The code is bound to another DPoP key."
    return None
