"""Who calls /v1: OAuth2 access tokens as short-lived signed JWTs (RFC 9068), and what they may do."""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import OAuth2
from fastapi.security.utils import get_authorization_scheme_param

from service.credentials.jose import VerificationKey, check_times, load_key, parse_jws, verify_jws
from service.errors import ForbiddenError, ServiceError, UnauthorizedError
from service.storage.ids import new_id
from service.storage.tables import SigningKey
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web import signing
from service.web.context import Context
from service.web.dependencies import get_context

SCOPES = {
    "issuer": "Offer, list and revoke credentials.",
    "verifier": "Ask for presentations, verify, keep standings.",
    "gate": "Keep securities and decide transfers.",
    "compliance": "See AML and sanctions reasons.",
    "audit": "Read the record of decisions and accesses.",
    "admin": "Create organisations and API clients.",
}
TOKEN_LIFETIME = timedelta(minutes=5)
_LEEWAY = timedelta(seconds=10)
_CACHE_SIZE = 4096
_KEY_CACHE_LIFETIME = timedelta(minutes=1)  # after it a key that was withdrawn is forgotten in every process


class InvalidTokenError(UnauthorizedError):
    """The access token is missing, not ours, or expired."""

    code = "invalid_token"


class InsufficientScopeError(ForbiddenError):
    """The token does not carry the scope that this call needs."""

    code = "insufficient_scope"


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated API client and what its token allows."""

    org_id: str
    client_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Session:
    caller: Caller
    expires_at: datetime


class TokenCache:
    """Tokens that were verified, by digest, so that a signature is checked once per token, not per request."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()
        self.keys: dict[str, tuple[VerificationKey, datetime]] = {}  # and until when to believe it

    def find_key(self, kid: object, now: datetime) -> VerificationKey | None:
        """Return a key that was read lately."""
        key, until = self.keys.get(kid, (None, now)) if isinstance(kid, str) else (None, now)
        return key if now < until else None

    def get(self, digest: bytes, now: datetime) -> Caller | None:
        """Return the caller of a token that is known and not expired."""
        session = self._sessions.get(digest)
        return session.caller if session is not None and now < session.expires_at else None

    def put(self, digest: bytes, caller: Caller, expires_at: datetime) -> None:
        """Remember a verified token."""
        self._sessions[digest] = _Session(caller, expires_at)
        while len(self._sessions) > _CACHE_SIZE:
            self._sessions.popitem(last=False)


def issue_access_token(
    context: Context, key: SigningKey, *, org_id: str, client_id: str, scopes: frozenset[str], now: datetime
) -> str:
    """Sign an access token that lives five minutes. Source: RFC 9068, section 2."""
    claims = {
        "iss": context.base_url,
        "aud": context.base_url,
        "sub": client_id,
        "client_id": client_id,
        "org_id": org_id,
        "scope": " ".join(sorted(scopes)),
        "iat": int(now.timestamp()),
        "exp": int((now + TOKEN_LIFETIME).timestamp()),
        "jti": new_id("tok"),
    }
    return signing.sign_token(context.signer, key, typ="at+jwt", claims=claims)


async def _find_key(context: Context, cache: TokenCache, kid: object) -> VerificationKey:
    now = context.clock()
    known = cache.find_key(kid, now)
    if known is None:
        async with context.database.reading() as session:
            rows = await signing.list_published_keys(session, SYSTEM_ORG_ID, [signing.ACCESS], now)
        cache.keys = {
            row.kid: (load_key(row.public_jwk, alg=row.alg, kid=row.kid), now + _KEY_CACHE_LIFETIME) for row in rows
        }
        known = cache.find_key(kid, now)
    if known is None:
        raise InvalidTokenError("The access token is not valid.")
    return known


async def _verify_token(context: Context, cache: TokenCache, token: str, now: datetime) -> tuple[Caller, datetime]:
    try:
        parsed = parse_jws(token)
        key = await _find_key(context, cache, parsed.header.get("kid"))
        claims = verify_jws(parsed, key, expected_typ={"at+jwt"})
        check_times(claims, now=now, leeway=_LEEWAY, require_exp=True)
    except InvalidTokenError:
        raise
    except ServiceError:
        raise InvalidTokenError("The access token is not valid.") from None
    if claims.get("iss") != context.base_url or claims.get("aud") != context.base_url:
        raise InvalidTokenError("The access token is not valid.")
    caller = Caller(claims["org_id"], claims["client_id"], frozenset(claims["scope"].split()))
    return caller, datetime.fromtimestamp(claims["exp"], tz=now.tzinfo)


async def authenticate(request: Request) -> Caller:
    """Return the caller named by the bearer token.

    Raises:
        InvalidTokenError: Missing, malformed, expired, or not signed by this deployment.
    """
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not token:
        raise InvalidTokenError("This call needs a bearer access token.")
    context = get_context(request)
    cache: TokenCache = request.app.state.token_cache
    now = context.clock()
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
    known = cache.get(digest, now)
    if known is not None:
        return known
    caller, expires_at = await _verify_token(context, cache, token, now)
    cache.put(digest, caller, expires_at)
    return caller


_scheme = OAuth2(
    flows={"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": SCOPES}},
    auto_error=False,
    scheme_name="oauth2",
)


def require_scope(*scopes: str) -> Callable[..., Awaitable[Caller]]:
    """Make a dependency that admits callers whose token carries one of ``scopes``."""

    async def check(request: Request, _token: Annotated[str | None, Depends(_scheme)]) -> Caller:
        caller = await authenticate(request)
        if caller.scopes.isdisjoint(scopes):
            raise InsufficientScopeError(f"This call needs the scope {' or '.join(scopes)}.")
        return caller

    return check
