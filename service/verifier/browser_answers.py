"""Answers that a platform hands in for its browser: from the Digital Credentials API, and after a return.

Both calls are the platform's own, so what is wrong is told to it as a problem and not in the words of OpenID4VP.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from hmac import compare_digest
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import ConflictError, InvalidInputError, NotFoundError, ProtocolError
from service.verifier.held_answers import open_held_answer
from service.verifier.request_rows import KeptRequest, find_kept_request, lock_request
from service.verifier.request_terms import ENCRYPTED_MODES, uses_dc_api
from service.verifier.responses import decide, decrypt_answer, examine, interpret_answer
from service.verifier.verdicts import Presentation, WalletAnswer, conclude
from service.verifier.verification import judge_credentials
from service.web.context import Context

ORIGIN_PREFIX = "origin:"


class DcApiResponseInvalidError(InvalidInputError):
    """No response of OpenID4VP, or not encrypted as asked; the request stays open."""

    code = "dc_api_response_invalid"


class OriginMismatchError(InvalidInputError):
    """The page was served from none of the origins that the request was made for; it stays open."""

    code = "origin_mismatch"


class ResponseCodeMismatchError(InvalidInputError):
    """The browser did not bring the code of this answer; the answer goes on waiting."""

    code = "response_code_mismatch"


class PresentationClosedError(ConflictError):
    """The request was answered, has expired, or waits for another kind of answer."""

    code = "presentation_closed"


async def take_dc_api_response(
    context: Context, org_id: str, request_id: str, *, origin: str, data: Mapping[str, Any]
) -> None:
    """Verify and keep an answer that came through the Digital Credentials API.

    Args:
        context: Database, signer, fetcher, clock.
        org_id: Who hands it in.
        request_id: Its request.
        origin: Of the page, as the platform's own session knows it; compared exactly.
        data: ``data`` of the ``DigitalCredential``; untrusted.

    Raises:
        NotFoundError: The organisation has no such request.
        PresentationClosedError, OriginMismatchError, DcApiResponseInvalidError: See there.

    Source: OpenID4VP 1.0, appendices A.2 and A.4.
    """
    now = context.clock()
    row = await _find(context, org_id, request_id)
    if not uses_dc_api(row.response_mode):
        raise PresentationClosedError("The request does not wait for an answer of the Digital Credentials API.")
    _check_open(row, now)
    if origin not in (row.expected_origins or ()):
        raise OriginMismatchError("The answer comes from a page that the request was not made for.")
    try:
        encrypted = row.response_mode in ENCRYPTED_MODES and "error" not in data
        parameters = decrypt_answer(row, data.get("response"), context.signer) if encrypted else data
        answer = interpret_answer(parameters)
    except ProtocolError as error:
        raise DcApiResponseInvalidError(error.detail) from error
    try:
        await decide(context, row, answer, audience=ORIGIN_PREFIX + origin, now=now)
    except ProtocolError as error:
        raise PresentationClosedError(error.detail) from error


async def take_return(context: Context, org_id: str, request_id: str, *, response_code: str) -> None:
    """Count an answer that waited for its browser.

    Args:
        context: Database, signer, fetcher, clock.
        org_id: Who asked.
        request_id: The request of the session that the browser came back in.
        response_code: What the browser brought; untrusted.

    Raises:
        NotFoundError: The organisation has no such request.
        PresentationClosedError, ResponseCodeMismatchError: See there.

    Source: OpenID4VP 1.0, section 14.2; HAIP 1.0, section 5.1.
    """
    now = context.clock()
    row = await _find(context, org_id, request_id)
    vp_token = await _open_held(context, row, now)
    if row.response_code is None or not compare_digest(response_code.encode(), row.response_code.encode()):
        raise ResponseCodeMismatchError("The response code is not that of the answer.")
    answer = WalletAnswer(vp_token)
    examined = await examine(context, row, answer, audience=row.client_id, now=now)

    async def keep(connection: AsyncConnection) -> None:
        locked = await lock_request(connection, org_id, request_id)
        if locked.sealed_held_answer is None:
            raise PresentationClosedError("The browser has come back before.")
        await judge_credentials(
            connection, base_url=context.base_url, org_id=org_id, examined=examined.flatten(), now=now
        )
        await conclude(connection, context.signer, locked, answer, examined, now)

    await context.database.write(keep)


async def _find(context: Context, org_id: str, request_id: str) -> KeptRequest:
    row = await context.database.glance(partial(find_kept_request, org_id=org_id, id=request_id))
    if row is None:
        raise NotFoundError
    return row


async def _open_held(context: Context, row: KeptRequest, now: datetime) -> dict[str, list[Presentation]]:
    _check_open(row, now)
    vp_token = await context.database.glance(partial(open_held_answer, signer=context.signer, row=row))
    if vp_token is None:
        raise PresentationClosedError("No answer waits for its browser.")
    return vp_token


def _check_open(row: KeptRequest, now: datetime) -> None:
    if row.state != "pending":
        raise PresentationClosedError("The request has been answered.")
    if now >= row.expires_at:
        raise PresentationClosedError("The request has expired.")
