"""``POST /oauth/token``: client credentials (RFC 6749, section 4.4), and where its keys are found (RFC 8414)."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from service.errors import ProtocolError
from service.organizations.clients import authenticate_client, grant_scopes
from service.organizations.throttle import AuthenticationThrottle, TooManyFailuresError
from service.storage.tables import ApiClient
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web import signing
from service.web.auth import SCOPES, TOKEN_LIFETIME, issue_access_token
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.forms import read_form
from service.web.openapi import takes_form
from service.web.problems import rate_limit_headers

router = APIRouter(tags=["oauth"])
_CHALLENGE = 'Basic realm="goodstanding"'


def _invalid_client() -> ProtocolError:
    return ProtocolError(
        "invalid_client", "The client is not known or its secret is wrong.", status=401, challenge=_CHALLENGE
    )


def _read_basic(header: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(header[len("Basic ") :], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _invalid_client() from None
    client_id, separator, secret = decoded.partition(":")
    client_id = unquote_plus(client_id)
    if not separator or "\0" in client_id:
        raise _invalid_client()
    return client_id, unquote_plus(secret)


def _read_credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    header = request.headers.get("authorization", "")
    if header[:6].lower() == "basic ":
        if "client_secret" in form:
            raise ProtocolError("invalid_request", "Use one way of client authentication.")
        return _read_basic(header)
    if "client_id" in form and "client_secret" in form:
        return form["client_id"], form["client_secret"]
    raise _invalid_client()


async def _authenticate(
    context: Context, throttle: AuthenticationThrottle, client_id: str, secret: str, peer: str
) -> ApiClient:
    now = context.clock()
    throttle.check(client_id, peer, now)
    async with context.database.reading() as session:
        client = await authenticate_client(session, client_id, secret)
    if client is None:
        throttle.record_failure(client_id, peer, now)
        raise _invalid_client()
    throttle.record_success(client_id)
    return client


@router.post(
    "/oauth/token",
    openapi_extra=takes_form(
        grant_type="client_credentials",
        scope="Scopes, separated by spaces; all that the client has if absent.",
        client_id="Unless client authentication is in the header.",
        client_secret="As client_id.",  # noqa: S106 - says what goes there
    ),
)
async def issue_token(request: Request, context: ContextDep) -> JSONResponse:
    """Give an access token to an API client; it lives five minutes."""
    form = await read_form(request)
    client_id, secret = _read_credentials(request, form)
    peer = request.client.host if request.client else ""
    try:
        client = await _authenticate(context, request.app.state.throttle, client_id, secret, peer)
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
    now = context.clock()
    async with context.database.reading() as session:
        key = await signing.get_active_key(session, SYSTEM_ORG_ID, signing.ACCESS)
    token = issue_access_token(context, key, org_id=client.org_id, client_id=client.client_id, scopes=scopes, now=now)
    body = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(TOKEN_LIFETIME.total_seconds()),
        "scope": " ".join(sorted(scopes)),
    }
    return JSONResponse(body, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


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
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": sorted(SCOPES),
    }
