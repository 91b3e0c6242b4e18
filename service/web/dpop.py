"""DPoP in front of our endpoints: which proof a request brings, its nonce, and that it is used once.

Nonces are stateless and the same for every endpoint; what was used is in the database, so every process refuses it.

Source: RFC 9449, sections 4.3, 5, 7, 8 and 9.
"""

from datetime import datetime
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.credentials.dpop import ALGORITHMS, DpopProof, InvalidDpopProofError, verify_dpop_proof
from service.errors import UnauthorizedError
from service.keys import Signer
from service.storage.spent_proofs import Proof, spend_proof
from service.web import nonces
from service.web.context import Context

NONCE_HEADER = "DPoP-Nonce"
_PURPOSE = "dpop-nonce"
_EVERYBODY = ""


class UseDpopNonceError(UnauthorizedError):
    """The DPoP proof holds in all else, but its nonce is missing, not ours or old; the answer brings a fresh one."""

    code = "use_dpop_nonce"


def make_dpop_nonce(signer: Signer, now: datetime) -> str:
    """Make a nonce for DPoP proofs; nothing is stored."""
    return nonces.make_nonce(signer, purpose=_PURPOSE, owner=_EVERYBODY, now=now)


def carries_dpop(request: Request) -> bool:
    """Tell whether a request brings a proof."""
    return "dpop" in request.headers


def verify_request(context: Context, request: Request, *, access_token: str | None) -> DpopProof:
    """Verify the proof that a request brings; the caller spends it once all else holds.

    Args:
        access_token: Sent beside it; None at a token endpoint.

    Raises:
        InvalidDpopProofError: None or several proofs, or one that ``verify_dpop_proof`` refuses.
        UseDpopNonceError: See there.
    """
    sent = request.headers.getlist("dpop")
    if len(sent) != 1:
        raise InvalidDpopProofError("The request needs exactly one DPoP proof.")
    now = context.clock()
    proof = verify_dpop_proof(
        sent[0],
        expected_method=request.scope.get("sent_method", request.method),
        expected_url=context.base_url + _read_path(request),
        access_token=access_token,
        now=now,
    )
    if proof.nonce is None or not _is_ours(context.signer, proof.nonce, now):
        raise UseDpopNonceError("The DPoP proof needs the nonce that comes with this answer.")
    return proof


async def spend_request_proof(context: Context, org_id: str, proof: DpopProof) -> None:
    """Use a verified proof up, whichever process asks.

    Raises:
        InvalidDpopProofError: It was used before.
    """
    spent = Proof("dpop", proof.thumbprint, proof.jti, proof.expires_at)
    async with context.database.transaction() as session:
        if not await spend_proof(session, org_id, spent):
            raise InvalidDpopProofError("The DPoP proof was used before.")


def challenge_dpop(*, realm: str, error: str | None = None) -> str:
    """Return the challenge for ``WWW-Authenticate``. Source: RFC 9449, section 7.1."""
    stated = "" if error is None else f', error="{error}"'
    return f'DPoP realm="{realm}"{stated}, algs="{" ".join(ALGORITHMS)}"'


class DpopNonceMiddleware:
    """Gives every request that uses DPoP a fresh nonce for its next proof, whatever the answer says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or not _uses_dpop(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        context: Context = scope["app"].state.context

        async def send_with_nonce(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[NONCE_HEADER] = make_dpop_nonce(context.signer, context.clock())
                headers.setdefault("Cache-Control", "no-store")  # else a stale nonce comes back with the answer
            await send(message)

        await self._app(scope, receive, send_with_nonce)


def _uses_dpop(headers: Headers) -> bool:
    return "dpop" in headers or headers.get("authorization", "")[:5].lower() == "dpop "


def _is_ours(signer: Signer, nonce: str, now: datetime) -> bool:
    return nonces.find_nonce_end(signer, nonce, purpose=_PURPOSE, owner=_EVERYBODY, now=now) is not None


def _read_path(request: Request) -> str:
    raw = request.scope.get("raw_path")
    return raw.decode("latin-1") if raw else quote(request.url.path)
