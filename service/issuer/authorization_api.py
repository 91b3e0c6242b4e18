"""The authorization endpoint: pushed requests from wallets, and a page for the person (RFC 9126, OpenID4VCI 1.0)."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from service.errors import ProtocolError
from service.issuer.access_api import read_token_proof, spend_token_proof
from service.issuer.authorization import (
    NOT_PUSHED,
    PAGE_LIFETIME,
    REQUEST_URI_LIFETIME,
    Answer,
    OpenedRequest,
    answer_request,
    cookie_name,
    open_request,
    push_request,
)
from service.issuer.authorization_parameters import read_pushed_request
from service.issuer.consent_page import CONSENT_HEADERS, render_consent, render_refusal
from service.issuer.identity import Issuer, find_issuer
from service.issuer.offer_page import PAGE_HEADERS
from service.issuer.requesters import list_redirect_uris, name_wallet, require_known
from service.issuer.wallet_clients import authenticate_wallet
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.forms import read_form
from service.web.languages import language_of
from service.web.openapi import takes_form

NO_STORE = {"Cache-Control": "no-store"}
BY_LANGUAGE = {"Vary": "Accept-Language"}
router = APIRouter(prefix="/issuers/{slug}", tags=["openid4vci"])


@router.post(
    "/par",
    status_code=201,
    openapi_extra=takes_form(
        response_type="code",
        client_id="A registered wallet, or one that a trusted wallet provider attests.",
        redirect_uri="One of the wallet's own.",
        code_challenge="SHA-256 of the code verifier, base64url.",
        code_challenge_method="S256",
        scope="Credentials, by the scope of their configuration.",
        authorization_details="JSON array (RFC 9396), instead of or beside scope.",
        issuer_state="From an offer.",
        state="Comes back with the answer.",
        dpop_jkt="Thumbprint of the key to bind the code to.",
    ),
)
async def push_authorization_request(slug: str, request: Request, context: ContextDep) -> JSONResponse:
    """Take an authorization request; it can be opened once, within a minute."""
    issuer, now = await _find_issuer(context, slug), context.clock()
    form = {name: value for name, value in (await read_form(request)).items() if value}
    proof = read_token_proof(request, context)
    wallet = await authenticate_wallet(
        context.database, context.signer, issuer, form=form, headers=request.headers.items(), now=now
    )
    requester = require_known(wallet, dpop_jkt=None if proof is None else proof.thumbprint)
    pushed = read_pushed_request(form, redirect_uris=list_redirect_uris(wallet, form))
    await spend_token_proof(context, issuer, proof)
    async with context.database.transaction() as session:
        request_uri = await push_request(session, issuer, pushed, requester, now=now)
    answer = {"request_uri": request_uri, "expires_in": int(REQUEST_URI_LIFETIME.total_seconds())}
    return JSONResponse(answer, status_code=201, headers=NO_STORE)


@router.get("/authorize", response_class=HTMLResponse)
async def show_authorization_request(slug: str, request: Request, context: ContextDep) -> HTMLResponse:
    """Ask the person whether the wallet may have what waits for them."""
    issuer = await _find_issuer(context, slug)
    sent = request.query_params
    if request.scope.get("sent_method") == "HEAD":  # whoever looks ahead is not the browser that the request is for
        return HTMLResponse(headers=PAGE_HEADERS)
    try:
        if len(sent) != len(sent.multi_items()) or not sent.get("request_uri") or not sent.get("client_id"):
            raise ProtocolError("invalid_request", NOT_PUSHED)
        async with context.database.transaction() as session:
            opened = await open_request(
                session,
                issuer,
                request_uri=sent["request_uri"],
                client_id=sent["client_id"],
                cookies=request.cookies,
                now=context.clock(),
            )
    except ProtocolError as error:
        return _refuse(error, language_of(request))
    query = {name: sent[name] for name in ("client_id", "request_uri")}
    return await _ask(context, issuer, opened, language_of(request), query)


@router.post(
    "/authorize",
    response_class=HTMLResponse,
    responses={303: {"description": "Back to the wallet, with a code or an error."}},
    openapi_extra=takes_form(
        request="From the page.",
        decision="allow or deny.",
        tx_code="Where asked for.",
        seal="From the page.",
        language="From the page.",
    ),
)
async def answer_authorization_request(slug: str, request: Request, context: ContextDep) -> Response:
    """Take the person's answer from the page."""
    issuer = await _find_issuer(context, slug)
    language = language_of(request)
    try:
        form = await read_form(request)
        language = language_of(request, form.get("language"))
        answer = Answer(
            request_id=form.get("request", ""),
            seal=form.get("seal", ""),
            allowed=form.get("decision") == "allow",
            tx_code=form.get("tx_code", "").strip() or None,
        )
        async with context.database.transaction() as session:
            outcome = await answer_request(
                session, context.signer, issuer, answer, cookies=request.cookies, now=context.clock()
            )
    except ProtocolError as error:
        return _refuse(error, language)
    if isinstance(outcome, OpenedRequest):
        return await _ask(context, issuer, outcome, language, None)
    # 303, so that no browser repeats the form, and with it the transaction code, at the wallet
    response = RedirectResponse(
        outcome.location, status_code=303, headers=NO_STORE | {"Referrer-Policy": "no-referrer"}
    )
    response.delete_cookie(cookie_name(outcome.request_id), path=_cookie_path(issuer))
    return response


async def _find_issuer(context: Context, slug: str) -> Issuer:
    async with context.database.reading() as session:
        return await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)


async def _ask(
    context: Context, issuer: Issuer, opened: OpenedRequest, language: str, query: Mapping[str, str] | None
) -> HTMLResponse:
    async with context.database.reading() as session:
        name = await name_wallet(session, issuer.org_id, opened.row.client_id)
    page = render_consent(context.signer, issuer, opened, wallet_name=name, language=language, query=query)
    response = HTMLResponse(page, headers=CONSENT_HEADERS | BY_LANGUAGE)
    response.set_cookie(
        cookie_name(opened.row.id),
        opened.browser,
        max_age=int(PAGE_LIFETIME.total_seconds()),
        path=_cookie_path(issuer),
        secure=issuer.base_url.startswith("https:"),
        httponly=True,
        samesite="lax",  # strict would be missing when the page is loaded again, as it was opened from elsewhere
    )
    return response


def _refuse(error: ProtocolError, language: str) -> HTMLResponse:
    """Answer with a page: a request that is not known to be the wallet's own leads to no address."""
    return HTMLResponse(render_refusal(error, language), status_code=400, headers=PAGE_HEADERS | BY_LANGUAGE)


def _cookie_path(issuer: Issuer) -> str:
    return f"/issuers/{issuer.slug}/authorize"
