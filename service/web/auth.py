"""Who calls /v1: OAuth2 access tokens as short-lived signed JWTs (RFC 9068), and what they may do."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request
from fastapi.security import OAuth2
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from service.credentials.dpop import InvalidDpopProofError
from service.credentials.jose import VerificationKey, check_times, load_key, parse_jws, verify_jws
from service.errors import ForbiddenError, ServiceError, UnauthorizedError
from service.storage.ids import new_id
from service.storage.tables import SigningKey
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web import signing
from service.web.context import Context
from service.web.dependencies import get_context
from service.web.dpop import spend_request_proof, verify_request

SCOPES = {
    "issuer": "Offer, list and revoke credentials.",
    "verifier": "Ask for presentations, verify, keep standings.",
    "gate": "Keep securities and decide transfers.",
    "compliance": "See AML and sanctions reasons.",
    "audit": "Read the record of decisions and accesses.",
    "admin": "Create organisations and API clients.",
}
TOKEN_LIFETIME = timedelta(minutes=5)
BOUND_TOKEN_LIFETIME = timedelta(minutes=30)  # of use to nobody who lacks the key; a client is disabled by then
_LEEWAY = timedelta(seconds=10)
_CACHE_SIZE = 4096
_KEY_CACHE_LIFETIME = timedelta(minutes=1)  # after it a key that was withdrawn is forgotten in every process


class InvalidTokenError(UnauthorizedError):
    """The access token is missing, not ours, expired, or sent without the proof that it needs."""

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
    """What a verified token says; ``dpop_jkt`` is the thumbprint of the key that it is bound to, if it is."""

    caller: Caller
    expires_at: datetime
    dpop_jkt: str | None


class TokenCache:
    """Tokens that were verified, by digest, so that a signature is checked once per token, not per request."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()
        self.keys: dict[str, tuple[VerificationKey, datetime]] = {}  # and until when to believe it

    def find_key(self, kid: object, now: datetime) -> VerificationKey | None:
        """Return a key that was read lately."""
        key, until = self.keys.get(kid, (None, now)) if isinstance(kid, str) else (None, now)
        return key if now < until else None

    def get(self, digest: bytes, now: datetime) -> _Session | None:
        """Return what a token says that is known and not expired."""
        session = self._sessions.get(digest)
        return session if session is not None and now < session.expires_at else None

    def put(self, digest: bytes, session: _Session) -> None:
        """Remember a verified token."""
        self._sessions[digest] = session
        while len(self._sessions) > _CACHE_SIZE:
            self._sessions.popitem(last=False)


def issue_access_token(
    context: Context,
    key: SigningKey,
    *,
    org_id: str,
    client_id: str,
    scopes: frozenset[str],
    dpop_jkt: str | None,
    now: datetime,
) -> tuple[str, timedelta]:
    """Sign an access token; returns it and how long it lives.

    Args:
        dpop_jkt: Thumbprint of the key to bind it to; None for a bearer token, which lives five minutes.

    Source: RFC 9068, section 2; RFC 9449, section 6.1.
    """
    lifetime = TOKEN_LIFETIME if dpop_jkt is None else BOUND_TOKEN_LIFETIME
    claims: dict[str, Any] = {
        "iss": context.base_url,
        "aud": context.base_url,
        "sub": client_id,
        "client_id": client_id,
        "org_id": org_id,
        "scope": " ".join(sorted(scopes)),
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "jti": new_id("tok"),
    }
    if dpop_jkt is not None:
        claims["cnf"] = {"jkt": dpop_jkt}
    return signing.sign_token(context.signer, key, typ="at+jwt", claims=claims), lifetime


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


async def _verify_token(context: Context, cache: TokenCache, token: str, now: datetime) -> _Session:
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
    dpop_jkt = claims.get("cnf", {}).get("jkt")
    return _Session(caller, datetime.fromtimestamp(claims["exp"], tz=now.tzinfo), dpop_jkt)


async def authenticate(request: Request) -> Caller:
    """Return the caller named by the access token, sent as a bearer token or with a DPoP proof as it was made for.

    Effects: a DPoP proof is spent, once per request however often this is asked.

    Raises:
        InvalidTokenError: Missing, malformed, expired, not signed by this deployment, or of the other kind.
        InvalidDpopProofError, UseDpopNonceError: The proof is refused, or not of the key that the token is bound to.

    Source: RFC 6750, section 2.1; RFC 9449, sections 7.1 and 7.2.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    scheme = scheme.lower()
    if scheme not in ("bearer", "dpop") or not token:
        raise InvalidTokenError("This call needs an access token.")
    context = get_context(request)
    session = await _find_session(context, request.app.state.token_cache, token)
    if (scheme == "dpop") != (session.dpop_jkt is not None):
        raise InvalidTokenError("The access token is of another type than it was sent as.")
    if session.dpop_jkt is not None:
        await _check_possession(context, request, token, session.dpop_jkt)
    request.state.caller = session.caller
    return session.caller


async def _find_session(context: Context, cache: TokenCache, token: str) -> _Session:
    now = context.clock()
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
    session = cache.get(digest, now)
    if session is None:
        session = await _verify_token(context, cache, token, now)
        cache.put(digest, session)
    return session


async def _check_possession(context: Context, request: Request, token: str, dpop_jkt: str) -> None:
    proof = verify_request(context, request, access_token=token)
    if proof.thumbprint != dpop_jkt:
        raise InvalidDpopProofError("The DPoP proof is of another key than the access token is bound to.")
    await spend_request_proof(context, SYSTEM_ORG_ID, proof)


_scheme = OAuth2(
    flows={"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": SCOPES}},
    auto_error=False,
    scheme_name="oauth2",
)


class ScopeCheck(SecurityBase):
    """A dependency that admits callers whose token carries one of some scopes.

    It is the security scheme itself, not a dependency on it, since the framework solves each of those per request.
    """

    def __init__(self, scopes: Sequence[str]) -> None:
        self.model, self.scheme_name = _scheme.model, _scheme.scheme_name
        self._scopes = scopes

    async def __call__(self, request: Request) -> Caller:
        """Return the caller; raises what ``authenticate`` raises, and InsufficientScopeError."""
        caller = await authenticate(request)
        if caller.scopes.isdisjoint(self._scopes):
            raise InsufficientScopeError(f"This call needs the scope {' or '.join(self._scopes)}.")
        return caller


def require_scope(*scopes: str) -> ScopeCheck:
    """Make a dependency that admits callers whose token carries one of ``scopes``."""
    return ScopeCheck(scopes)
