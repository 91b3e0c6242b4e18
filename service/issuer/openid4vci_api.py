"""What wallets call: offer, token, nonce, credential now or deferred, notification."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.dpop import DpopProof
from service.errors import NotFoundError, ProtocolError
from service.issuer.access_api import read_access_token, read_token_proof, spend_token_proof
from service.issuer.code_exchange import exchange_authorization_code, read_code_request
from service.issuer.credential_response import CredentialResponse
from service.issuer.encryption import MAX_REQUEST_BYTES, Message, encrypt_answer
from service.issuer.identity import Issuer, find_issuer
from service.issuer.issuance import issue_credential, issue_deferred
from service.issuer.nonces import make_nonce
from service.issuer.notifications import read_notification, record_notification
from service.issuer.offer_page import PAGE_HEADERS, render_gone, render_offer
from service.issuer.offer_rows import Offer
from service.issuer.offers import AUTHORIZATION_CODE_GRANT, build_offer_object, find_offer_by_link
from service.issuer.requesters import require_known
from service.issuer.tokens import exchange_code, read_token_request
from service.issuer.wallet_clients import WalletIdentity, authenticate_wallet, make_challenge
from service.issuer.wallet_grants import REFRESH_TOKEN_GRANT, read_refresh_request, refresh
from service.keys.jwe import ENCRYPTION_METHODS
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.direct import direct_router
from service.web.dpop import NONCE_HEADER, make_dpop_nonce
from service.web.forms import read_form
from service.web.languages import language_of
from service.web.openapi import answers_media, takes_form, takes_json, takes_json_or_jwt

NO_STORE = {"Cache-Control": "no-store"}
router = direct_router(prefix="/issuers/{slug}", tags=["openid4vci"])


async def _find_issuer(context: Context, slug: str) -> Issuer:
    return await context.database.glance(partial(find_issuer, base_url=context.base_url, slug=slug))


async def _find_offer(context: Context, slug: str, link: str) -> tuple[Issuer, Offer]:
    async def find(connection: AsyncConnection) -> tuple[Issuer, Offer]:
        issuer = await find_issuer(connection, base_url=context.base_url, slug=slug)
        return issuer, await find_offer_by_link(connection, context.signer, issuer, link, now=context.clock())

    return await context.database.glance(find)


RESPONSE_ENCRYPTION = {
    "type": "object",
    "required": ["jwk", "enc"],
    "properties": {"jwk": {"type": "object"}, "enc": {"enum": list(ENCRYPTION_METHODS)}},
}
_CREDENTIAL_REQUEST = {
    "type": "object",
    "required": ["proofs"],
    "properties": {
        "credential_configuration_id": {"type": "string"},
        "credential_identifier": {"type": "string"},
        "proofs": {
            "type": "object",
            "properties": {
                "jwt": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "attestation": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1},
            },
            "minProperties": 1,
            "maxProperties": 1,
        },
        "credential_response_encryption": RESPONSE_ENCRYPTION,
    },
}
_DEFERRED_REQUEST = {
    "type": "object",
    "required": ["transaction_id"],
    "properties": {"transaction_id": {"type": "string"}, "credential_response_encryption": RESPONSE_ENCRYPTION},
}
_NOTIFICATION = {
    "type": "object",
    "required": ["notification_id", "event"],
    "properties": {
        "notification_id": {"type": "string"},
        "event": {"enum": ["credential_accepted", "credential_failure", "credential_deleted"]},
        "event_description": {"type": "string"},
    },
}


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_body(request: Request, *media_types: str, error: str) -> bytes:
    if _media_type(request) not in media_types:
        raise ProtocolError(error, f"The body must be {' or '.join(media_types)}.")
    body = await request.body()
    if len(body) > MAX_REQUEST_BYTES:
        raise ProtocolError(error, "The body is too large.")
    return body


async def _read_message(request: Request) -> Message:
    body = await _read_body(request, "application/json", "application/jwt", error="invalid_credential_request")
    return Message(body, is_encrypted=_media_type(request) == "application/jwt")


def _answer(response: CredentialResponse) -> Response:
    """Put an answer on the wire. Source: OpenID4VCI 1.0, sections 8.3 and 10."""
    if response.encryption is None:
        return JSONResponse(response.body, status_code=response.status, headers=NO_STORE)
    token = encrypt_answer(response.body, response.encryption)
    return Response(token, status_code=response.status, media_type="application/jwt", headers=NO_STORE)


@router.get("/credential-offers/{link}")
async def read_credential_offer(slug: str, link: str, context: ContextDep) -> JSONResponse:
    """Return the Credential Offer; readable again until it is redeemed."""
    issuer, row = await _find_offer(context, slug, link)
    return JSONResponse(
        build_offer_object(context.signer, issuer, row), headers=NO_STORE | {"Access-Control-Allow-Origin": "*"}
    )


@router.get("/offers/{link}", response_class=HTMLResponse)
async def show_offer(slug: str, link: str, request: Request, context: ContextDep) -> HTMLResponse:
    """Show a person how to fetch the offer into a wallet."""
    language, headers = language_of(request), PAGE_HEADERS | {"Vary": "Accept-Language"}
    try:
        issuer, row = await _find_offer(context, slug, link)
    except NotFoundError:
        return HTMLResponse(render_gone(language), status_code=404, headers=headers)
    return HTMLResponse(await render_offer(context.signer, issuer, row, language), headers=headers)


@router.post(
    "/token",
    openapi_extra=takes_form(
        grant_type="urn:ietf:params:oauth:grant-type:pre-authorized_code, authorization_code or refresh_token",
        tx_code="Where the offer asks for one.",
        authorization_details="JSON array (RFC 9396).",
        client_id="What the wallet calls itself.",
        client_assertion="Of a registered wallet (RFC 7523).",
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        code="From the authorization endpoint.",
        code_verifier="What the pushed code_challenge was made from.",
        redirect_uri="As pushed.",
        scope="With a refresh token: no more than was granted.",
        **{"pre-authorized_code": "From the offer.", "refresh_token": "From the token response before."},
    ),
)
async def request_token(slug: str, request: Request, context: ContextDep) -> JSONResponse:
    """Exchange a code or a refresh token for an access token."""
    issuer = await _find_issuer(context, slug)
    form = {name: value for name, value in (await read_form(request)).items() if value}  # empty counts as absent
    proof = read_token_proof(request, context)
    wallet = await authenticate_wallet(
        context.database, context.signer, issuer, form=form, headers=request.headers.items(), now=context.clock()
    )
    if proof is None and wallet.dpop_bound:  # RFC 9449, section 5.2
        raise ProtocolError("invalid_dpop_proof", "This wallet is registered to use DPoP with every token request.")
    answer = await _exchange(context, issuer, form, wallet, proof)
    return JSONResponse(answer, headers=NO_STORE | {"Pragma": "no-cache"})


async def _exchange(
    context: Context, issuer: Issuer, form: Mapping[str, str], wallet: WalletIdentity, proof: DpopProof | None
) -> dict[str, Any]:
    """Read the form whole, spend the proof, then give what the grant gives."""
    database, now = context.database, context.clock()
    jkt = None if proof is None else proof.thumbprint
    if form.get("grant_type") == AUTHORIZATION_CODE_GRANT:
        requester, by_code = require_known(wallet, dpop_jkt=jkt), read_code_request(form)
        await spend_token_proof(context, issuer, proof)
        return await exchange_authorization_code(database, issuer, by_code, requester, now=now)
    if form.get("grant_type") == REFRESH_TOKEN_GRANT:
        requester, by_token = require_known(wallet, dpop_jkt=jkt), read_refresh_request(form)
        await spend_token_proof(context, issuer, proof)
        return await refresh(database, issuer, by_token, requester, now=now)
    wanted = read_token_request(form, client_id=wallet.client_id, dpop_jkt=jkt)
    await spend_token_proof(context, issuer, proof)
    return await exchange_code(database, context.signer, issuer, wanted, now=now)


@router.post("/challenge")
async def request_challenge(slug: str, context: ContextDep) -> JSONResponse:
    """Give out a fresh challenge for the proof of a wallet attestation."""
    issuer = await _find_issuer(context, slug)
    challenge = make_challenge(context.signer, issuer, now=context.clock())
    return JSONResponse({"attestation_challenge": challenge}, headers=NO_STORE)


@router.post("/nonce")
async def request_nonce(slug: str, context: ContextDep) -> JSONResponse:
    """Give out a fresh ``c_nonce``, and a nonce for the DPoP proof beside it (OpenID4VCI 1.0, section 7.2)."""
    issuer = await _find_issuer(context, slug)
    nonce = make_nonce(context.signer, org_id=issuer.org_id, now=context.clock())
    headers = NO_STORE | {NONCE_HEADER: make_dpop_nonce(context.signer, context.clock())}
    return JSONResponse({"c_nonce": nonce}, headers=headers)


@router.post(
    "/credential",
    openapi_extra=takes_json_or_jwt(_CREDENTIAL_REQUEST),
    responses=answers_media("application/json", "application/jwt", statuses=(200, 202)),
)
async def request_credential(slug: str, request: Request, context: ContextDep) -> Response:
    """Issue one credential per proved key; what comes encrypted may be answered encrypted."""
    issuer = await _find_issuer(context, slug)
    token = await read_access_token(request, context, issuer)
    message = await _read_message(request)
    return _answer(
        await issue_credential(
            context.database, context.signer, issuer, token=token, message=message, now=context.clock()
        )
    )


@router.post(
    "/deferred_credential",
    openapi_extra=takes_json_or_jwt(_DEFERRED_REQUEST),
    responses=answers_media("application/json", "application/jwt", statuses=(200, 202)),
)
async def request_deferred_credential(slug: str, request: Request, context: ContextDep) -> Response:
    """Issue what was asked for before, if the issuer has decided."""
    issuer = await _find_issuer(context, slug)
    token = await read_access_token(request, context, issuer)
    message = await _read_message(request)
    return _answer(
        await issue_deferred(
            context.database, context.signer, issuer, token=token, message=message, now=context.clock()
        )
    )


@router.post("/notification", status_code=204, openapi_extra=takes_json(_NOTIFICATION))
async def notify(slug: str, request: Request, context: ContextDep) -> Response:
    """Take a wallet's report on what it was given."""
    issuer = await _find_issuer(context, slug)
    token = await read_access_token(request, context, issuer)
    notification = read_notification(
        await _read_body(request, "application/json", error="invalid_notification_request")
    )
    now = context.clock()
    await context.database.write(
        partial(record_notification, issuer=issuer, notification=notification, token=token, now=now)
    )
    return Response(status_code=204, headers=NO_STORE)
