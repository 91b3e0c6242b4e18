"""Let wallets that run in a browser call what every wallet may call; nothing there rests on cookies."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

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
        is_open = scope["type"] == "http" and scope["path"].startswith(OPEN_TO_WALLETS)
        await (self._open if is_open else self._closed)(scope, receive, send)
