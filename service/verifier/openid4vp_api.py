"""What wallets and browsers call: the Request Object, the response endpoint, and the page with the QR code."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from service.errors import NotFoundError, ProtocolError
from service.storage.tables import Organization
from service.verifier.page import CONTENT_SECURITY_POLICY, render_request_page
from service.verifier.request_objects import answer_fetch
from service.verifier.request_rows import KeptRequest
from service.verifier.request_terms import uses_dc_api
from service.verifier.requests import build_deep_link, build_wallet_link, find_request, state_of
from service.verifier.responses import take_response
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.direct import direct_router
from service.web.forms import read_form
from service.web.languages import language_of
from service.web.openapi import answers_media, takes_form
from service.web.qr_code import draw_qr_picture

REQUEST_OBJECT = "application/oauth-authz-req+jwt"
NO_STORE = {"Cache-Control": "no-store"}
router = direct_router(tags=["openid4vp"])


async def _answer_request_object(context: ContextDep, request_id: str, form: Mapping[str, str]) -> Response:
    row = await context.database.glance(partial(find_request, request_id=request_id))
    if context.clock() >= row.expires_at:
        raise ProtocolError("invalid_request_uri", "The request has expired.", status=410)
    nonce, metadata = form.get("wallet_nonce"), form.get("wallet_metadata")
    signed = answer_fetch(context.signer, row, wallet_nonce=nonce, wallet_metadata=metadata)
    return Response(signed, media_type=REQUEST_OBJECT, headers=NO_STORE)


@router.get("/openid4vp/requests/{request_id}", responses=answers_media(REQUEST_OBJECT))
async def get_request_object(request_id: str, context: ContextDep) -> Response:
    """Return the signed Request Object; the same at every fetch."""
    return await _answer_request_object(context, request_id, {})


@router.post(
    "/openid4vp/requests/{request_id}",
    responses=answers_media(REQUEST_OBJECT),
    openapi_extra=takes_form(
        wallet_nonce="Returned in the Request Object.",
        wallet_metadata="JSON object: what the wallet can do. jwks in it asks for an encrypted Request Object.",
    ),
)
async def post_for_request_object(request_id: str, request: Request, context: ContextDep) -> Response:
    """Return the signed Request Object with the wallet's own nonce in it (``request_uri_method`` ``post``)."""
    return await _answer_request_object(context, request_id, await read_form(request))


@router.post(
    "/openid4vp/responses/{request_id}",
    openapi_extra=takes_form(
        vp_token="JSON object of arrays of presentations (direct_post).",  # noqa: S106 - says what goes there
        state="As in the request.",
        response="Compact JWE of the same (direct_post.jwt).",
        error="An error instead of an answer.",
        error_description="Of the error.",
    ),
)
async def post_response(request_id: str, request: Request, context: ContextDep) -> Response:
    """Take the wallet's answer (``direct_post``, ``direct_post.jwt``)."""
    body: dict[str, Any] = await take_response(context, request_id, await read_form(request))
    return JSONResponse(body, headers=NO_STORE)


@router.get("/presentation-requests/{request_id}", include_in_schema=False)
async def show_request_page(request_id: str, request: Request, context: ContextDep) -> Response:
    """Show who asks, with a link and a QR code for the wallet."""
    async with context.database.reading() as session:
        row = await find_request(await session.connection(), request_id)
        organization = await session.get_one(Organization, row.org_id)
    if uses_dc_api(row.response_mode):
        raise NotFoundError
    is_open = _is_open(row, context)
    link = build_deep_link(context.base_url, row) if is_open else None
    wallet_link = build_wallet_link(context.base_url, row) if is_open else None
    headers = NO_STORE | {
        "Vary": "Accept-Language",
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    page = await render_request_page(organization.name, link, wallet_link, language=language_of(request))
    return HTMLResponse(page, headers=headers)


@router.get("/presentation-requests/{request_id}/qr-code", include_in_schema=False)
async def draw_request(request_id: str, context: ContextDep, wallet: Literal["app", "web"] = "app") -> Response:
    """Draw what a wallet has to scan, for a platform's own page; for a web wallet, what the camera opens."""
    row = await context.database.glance(partial(find_request, request_id=request_id))
    build = build_wallet_link if wallet == "web" else build_deep_link
    link = build(context.base_url, row) if _is_open(row, context) else None
    picture = None if link is None else await draw_qr_picture(link)
    if picture is None:
        raise NotFoundError
    headers = NO_STORE | {
        "Content-Security-Policy": "default-src 'none'",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(picture, media_type="image/svg+xml", headers=headers)


def _is_open(row: KeptRequest, context: Context) -> bool:
    return state_of(row, context.clock()) == "pending" and row.sealed_held_answer is None
