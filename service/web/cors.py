"""Let wallets that run in a browser call what every wallet may call; nothing there rests on cookies.

The page for the person does, so it stays closed: a browser goes there, no script calls it (RFC 9700, section 2.6).
"""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

AUTHORIZATION_PAGE = "/authorize"
OPEN_TO_WALLETS = ("/.well-known/", "/issuers/", "/openid4vp/", "/organizations/")
_ATTESTATION = ("OAuth-Client-Attestation", "OAuth-Client-Attestation-PoP")


class WalletCorsMiddleware:
    """Answers preflights, and marks answers as readable from any origin; the back office stays closed to both.

    Errors are marked too: a wallet that cannot read ``invalid_nonce`` cannot try again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._closed = app
        self._open = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type", "DPoP", *_ATTESTATION],
            expose_headers=["WWW-Authenticate", "DPoP-Nonce", "OAuth-Client-Attestation-Challenge"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        path = scope["path"] if scope["type"] == "http" else ""
        is_open = path.startswith(OPEN_TO_WALLETS) and not path.endswith(AUTHORIZATION_PAGE)
        await (self._open if is_open else self._closed)(scope, receive, send)
