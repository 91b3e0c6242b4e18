"""From a link to an authenticated presentation request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.fetch import Fetcher
from service.wallet.client_identity import verify_request_object
from service.wallet.errors import RejectedError, UnsupportedError, UsageError
from service.wallet.http import read_object, refused
from service.wallet.links import fetch_page, find_deep_link, read_link
from service.wallet.presentation_request import (
    UNSIGNED_PREFIX,
    PresentationRequest,
    read_reply_address,
    read_request,
)
from service.wallet.responses import send_error
from service.wallet.trust import VerifierTrust

SCHEMES = ("openid4vp", "haip-vp", "eudi-openid4vp")
REQUEST_OBJECT_TYPE = "application/oauth-authz-req+jwt"
MAX_REQUEST_BYTES = 64 * 1024
NOBODY = VerifierTrust()


async def fetch_request(
    text: str, *, wallet_nonce: str, fetcher: Fetcher, now: datetime, trust: VerifierTrust = NOBODY
) -> PresentationRequest:
    """Read a presentation request from a link.

    Only what stands in the request object counts; the link is believed in nothing but where that object is. A verifier
    that is authentic and asks what it may not, or what we don't do, is told so.

    Args:
        text: Deep link, web link with the same parameters, or the address of a page that holds a deep link.
        wallet_nonce: Fresh; sent where the link says ``request_uri_method=post``.
        fetcher: Outbound requests.
        now: Aware.
        trust: Who may vouch for verifiers that no DID names.

    Raises:
        UsageError: Not a link to a request.
        RejectedError: The request is malformed, not authentic, expired, for another client, or breaks the protocol.
        UnsupportedError, RefusedError, FetchError: It can't be had or is of a kind that this wallet doesn't take.

    Source: OpenID4VP 1.0, sections 5, 5.9 and 5.10; RFC 9101, sections 5 and 6.
    """
    parameters = read_link(text.strip(), schemes=SCHEMES)
    if "client_id" not in parameters:
        parameters = await _read_page(text.strip(), fetcher)
    if "request" in parameters and "request_uri" in parameters:
        raise RejectedError("The link holds the request both by value and by reference.")
    if "request" not in parameters and "request_uri" not in parameters:
        claims = _read_unsigned(parameters)
        return read_request(claims, read_reply_address(claims), authenticated=False)
    claims = await _fetch_signed(parameters, wallet_nonce, trust, fetcher, now)
    reply = read_reply_address(claims)
    try:
        return read_request(claims, reply, authenticated=True)
    except RejectedError as error:
        await send_error(reply, error.error, fetcher=fetcher)
        raise
    except UnsupportedError:
        await send_error(reply, "invalid_request", fetcher=fetcher)
        raise


async def _read_page(url: str, fetcher: Fetcher) -> Mapping[str, str]:
    if url.startswith("http"):
        page = await fetch_page(url, accept="text/html", fetcher=fetcher)
        deep_link = find_deep_link(page, schemes=SCHEMES)
        parameters = read_link(deep_link, schemes=SCHEMES) if deep_link else {}
        if "client_id" in parameters:
            return parameters
    raise UsageError("The link holds no presentation request: it names no client_id.")


async def _fetch_signed(
    parameters: Mapping[str, str], wallet_nonce: str, trust: VerifierTrust, fetcher: Fetcher, now: datetime
) -> Mapping[str, Any]:
    posted = parameters.get("request_uri_method") == "post"
    token = parameters["request"] if "request" in parameters else await _fetch_object(parameters, wallet_nonce, fetcher)
    return await verify_request_object(
        token,
        expected_client_id=parameters["client_id"],
        expected_wallet_nonce=wallet_nonce if posted else None,
        trust=trust,
        fetcher=fetcher,
        now=now,
    )


async def _fetch_object(parameters: Mapping[str, str], wallet_nonce: str, fetcher: Fetcher) -> str:
    uri, method = parameters["request_uri"], parameters.get("request_uri_method", "get")
    if method not in ("get", "post"):
        raise RejectedError("The link's request_uri_method is neither get nor post.")
    if method == "post":
        form, headers = {"wallet_nonce": wallet_nonce}, {"Accept": REQUEST_OBJECT_TYPE}
        answer = await fetcher.post(uri, form=form, headers=headers, max_bytes=MAX_REQUEST_BYTES)
    else:
        answer = await fetcher.get(uri, accept=REQUEST_OBJECT_TYPE, max_bytes=MAX_REQUEST_BYTES)
    if answer.status != 200:
        raise refused(answer, "The presentation request")
    try:
        return answer.body.decode("ascii").strip()
    except UnicodeDecodeError:
        raise RejectedError("The request object isn't a signed token.") from None


def _read_unsigned(parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Read a request whose parameters stand in the link itself; only the prefix ``redirect_uri:`` allows that."""
    if not parameters["client_id"].startswith(UNSIGNED_PREFIX):
        raise RejectedError("The request isn't signed, although its sender's identifier calls for it.")
    claims: dict[str, Any] = dict(parameters)
    for name in ("dcql_query", "client_metadata"):
        if name in claims:
            claims[name] = read_object(claims[name].encode(), f"The request's {name}")
    return claims
