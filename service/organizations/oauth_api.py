"""``POST /oauth/token``: client credentials (RFC 6749, section 4.4), and where its keys are found (RFC 8414)."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from service.credentials import client_assertion, dpop
from service.credentials.client_assertion import ASSERTION_TYPE, InvalidAssertionError, read_asserted_client
from service.credentials.dpop import DpopProof, InvalidDpopProofError
from service.errors import ProtocolError
from service.organizations.clients import authenticate_client, authenticate_with_key, grant_scopes
from service.organizations.throttle import AuthenticationThrottle, TooManyFailuresError
from service.storage.tables import ApiClient
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web import signing
from service.web.auth import SCOPES, issue_access_token
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.dpop import UseDpopNonceError, carries_dpop, spend_request_proof, verify_request
from service.web.forms import read_form
from service.web.openapi import takes_form
from service.web.problems import rate_limit_headers

router = APIRouter(tags=["oauth"])
_CHALLENGE = 'Basic realm="goodstanding"'


@dataclass(frozen=True, slots=True)
class _Sent:
    """How a client authenticates: with a secret, or with an assertion that it signed."""

    client_id: str
    secret: str | None = None
    assertion: str | None = None


def _invalid_client() -> ProtocolError:
    return ProtocolError(
        "invalid_client", "The client is not known or its secret is wrong.", status=401, challenge=_CHALLENGE
    )


def _read_basic(header: str) -> _Sent:
    try:
        decoded = base64.b64decode(header[len("Basic ") :], validate=True).decode()
    except ValueError:  # no base64, or no UTF-8 in it
        raise _invalid_client() from None
    client_id, separator, secret = decoded.partition(":")
    client_id = unquote_plus(client_id)
    if not separator or "\0" in client_id:
        raise _invalid_client()
    return _Sent(client_id, secret=unquote_plus(secret))


def _read_assertion(form: dict[str, str]) -> _Sent:
    """Source: RFC 7521, section 4.2."""
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise InvalidAssertionError("The client assertion is not of the type jwt-bearer.")
    client_id = read_asserted_client(form["client_assertion"])
    if form.get("client_id", client_id) != client_id:
        raise InvalidAssertionError("The client assertion is another client's.")
    return _Sent(client_id, assertion=form["client_assertion"])


def _read_credentials(request: Request, form: dict[str, str]) -> _Sent:
    header = request.headers.get("authorization", "")
    is_basic, is_asserted = (
        header[:6].lower() == "basic ",
        "client_assertion" in form or "client_assertion_type" in form,
    )
    if is_basic + is_asserted + ("client_secret" in form) > 1:
        raise ProtocolError("invalid_request", "Use one way of client authentication.")
    if is_basic:
        return _read_basic(header)
    if is_asserted:
        return _read_assertion(form)
    if "client_id" in form and "client_secret" in form:
        return _Sent(form["client_id"], secret=form["client_secret"])
    raise _invalid_client()


async def _find_client(context: Context, sent: _Sent) -> ApiClient:
    if sent.assertion is not None:
        return await authenticate_with_key(
            context.database, sent.client_id, sent.assertion, expected_audience=context.base_url, now=context.clock()
        )
    assert sent.secret is not None
    async with context.database.reading() as session:
        client = await authenticate_client(session, sent.client_id, sent.secret)
    if client is None:
        raise _invalid_client()
    return client


async def _authenticate(context: Context, throttle: AuthenticationThrottle, sent: _Sent, peer: str) -> ApiClient:
    # Whoever sends an assertion proves nothing by the name in it, and an assertion cannot be guessed.
    name = None if sent.assertion is not None else sent.client_id
    throttle.check(name, peer, context.clock())
    try:
        client = await _find_client(context, sent)
    except ProtocolError:
        throttle.record_failure(name, peer, context.clock())
        raise
    throttle.record_success(name)
    return client


def _read_proof(request: Request, context: Context) -> DpopProof | None:
    try:
        return verify_request(context, request, access_token=None) if carries_dpop(request) else None
    except (InvalidDpopProofError, UseDpopNonceError) as error:
        raise ProtocolError(error.code, error.detail) from error


async def _spend(context: Context, proof: DpopProof) -> None:
    try:
        await spend_request_proof(context, SYSTEM_ORG_ID, proof)
    except InvalidDpopProofError as error:
        raise ProtocolError(error.code, error.detail) from error


async def _answer(context: Context, client: ApiClient, scopes: frozenset[str], dpop_jkt: str | None) -> JSONResponse:
    async with context.database.reading() as session:
        key = await signing.get_active_key(session, SYSTEM_ORG_ID, signing.ACCESS)
    token, lifetime = issue_access_token(
        context,
        key,
        org_id=client.org_id,
        client_id=client.client_id,
        scopes=scopes,
        dpop_jkt=dpop_jkt,
        now=context.clock(),
    )
    body = {
        "access_token": token,
        "token_type": "Bearer" if dpop_jkt is None else "DPoP",
        "expires_in": int(lifetime.total_seconds()),
        "scope": " ".join(sorted(scopes)),
    }
    return JSONResponse(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


@router.post(
    "/oauth/token",
    openapi_extra=takes_form(
        grant_type="client_credentials",
        scope="Scopes, separated by spaces; all that the client has if absent.",
        client_id="Unless client authentication is in the header.",
        client_secret="As client_id.",  # noqa: S106 - says what goes there
        client_assertion="Instead of a secret, of a client with keys (RFC 7523); aud is the issuer identifier.",
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    ),
)
async def issue_token(request: Request, context: ContextDep) -> JSONResponse:
    """Give an access token to an API client: a bearer token for five minutes, or longer one bound by a DPoP proof."""
    form = await read_form(request)
    sent = _read_credentials(request, form)
    proof = _read_proof(request, context)  # first: who lacks the nonce tries again with the same assertion
    peer = request.client.host if request.client else ""
    try:
        client = await _authenticate(context, request.app.state.throttle, sent, peer)
    except TooManyFailuresError as error:
        return JSONResponse(
            {"error": "invalid_client", "error_description": error.detail},
            status_code=429,
            headers=rate_limit_headers(error) | {"Cache-Control": "no-store"},
        )
    if "grant_type" not in form:
        raise ProtocolError("invalid_request", "grant_type is missing.")
    if form["grant_type"] != "client_credentials":
        raise ProtocolError("unsupported_grant_type", "Only client_credentials is supported.")
    scopes = grant_scopes(client, form.get("scope"))
    if proof is not None:
        await _spend(context, proof)
    return await _answer(context, client, scopes, None if proof is None else proof.thumbprint)


@router.get("/oauth/jwks")
async def read_token_keys(context: ContextDep) -> dict[str, Any]:
    """Return the keys that sign access tokens."""
    async with context.database.reading() as session:
        rows = await signing.list_published_keys(session, SYSTEM_ORG_ID, [signing.ACCESS], context.clock())
    return {"keys": [{**row.public_jwk, "kid": row.kid, "alg": row.alg, "use": "sig"} for row in rows]}


@router.get("/.well-known/oauth-authorization-server")
async def read_metadata(context: ContextDep) -> dict[str, Any]:
    """Describe the authorization server of /v1 (RFC 8414)."""
    return {
        "issuer": context.base_url,
        "token_endpoint": f"{context.base_url}/oauth/token",
        "jwks_uri": f"{context.base_url}/oauth/jwks",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(client_assertion.ALGORITHMS),
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "scopes_supported": sorted(SCOPES),
    }
