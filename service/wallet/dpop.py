"""Requests whose access token is of no use to whoever copies it: each proves the key that the token is bound to."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from service.credentials.dpop import build_dpop_proof
from service.fetch import Fetched, Fetcher
from service.keys import PublicKey
from service.wallet.http import MAX_ANSWER_BYTES, read_error
from service.wallet.store import Wallet

ALGORITHM = "ES256"
JTI_BYTES = 16
_USE_NONCE = "use_dpop_nonce"


@dataclass(frozen=True, slots=True)
class DpopSender:
    """Sends requests with proofs of one key, which lives for one offer: no two issuers see the same.

    Attributes:
        wallet: Holds the key.
        key: Its public half.
        fetcher: Outbound requests.
        now: Aware.
        nonces: The newest nonce of each server.
    """

    wallet: Wallet
    key: PublicKey
    fetcher: Fetcher
    now: datetime
    nonces: dict[str, str] = field(default_factory=dict)

    async def post(self, url: str, *, access_token: str | None = None, **content: Any) -> Fetched:
        """Send a request; once more if the server asks for its nonce. The answer may have any status.

        Args:
            url: Where to.
            access_token: Bound to the key; None while asking for one.
            content: ``form`` or ``json``; or ``content``, bytes of ``media_type``.

        Raises:
            FetchError: No answer, or too large.

        Source: RFC 9449, sections 4.2, 7.1, 8 and 9.
        """
        answer = await self._send(url, access_token, content)
        if _asks_for_nonce(answer):
            answer = await self._send(url, access_token, content)
        return answer

    def keep_nonce(self, url: str, answer: Fetched) -> None:
        """Remember the nonce that an answer brings, for the next request to the same server."""
        nonce = answer.headers.get("dpop-nonce")
        if nonce:
            self.nonces[_server(url)] = nonce

    async def _send(self, url: str, access_token: str | None, content: Mapping[str, Any]) -> Fetched:
        headers = {} if access_token is None else {"Authorization": f"DPoP {access_token}"}
        if "media_type" in content:
            headers["Content-Type"] = content["media_type"]
        headers["DPoP"] = build_dpop_proof(
            self.key.jwk,
            method="POST",
            url=url,
            jti=secrets.token_urlsafe(JTI_BYTES),
            issued_at=self.now,
            sign=self.wallet.signing_function(self.key.kid),
            nonce=self.nonces.get(_server(url)),
            access_token=access_token,
        )
        body = {name: value for name, value in content.items() if name != "media_type"}
        answer = await self.fetcher.post(url, headers=headers, max_bytes=MAX_ANSWER_BYTES, **body)
        self.keep_nonce(url, answer)
        return answer


@contextmanager
def dpop_sender(wallet: Wallet, fetcher: Fetcher, now: datetime) -> Iterator[DpopSender]:
    """Make a sender with a key of its own, destroyed at the end unless a pending credential needs it."""
    key = wallet.create_key()
    try:
        yield DpopSender(wallet, key, fetcher, now)
    finally:
        if all(each.dpop_key != key for each in wallet.list_pending()):
            wallet.delete_key(key.kid)


def _asks_for_nonce(answer: Fetched) -> bool:
    """Tell whether another try makes sense: a token endpoint says it in the body, a resource in its challenge."""
    if "dpop-nonce" not in answer.headers:
        return False
    challenged = f'error="{_USE_NONCE}"' in answer.headers.get("www-authenticate", "")
    return (answer.status == 401 and challenged) or (
        answer.status in (400, 401) and read_error(answer)[0] == _USE_NONCE
    )


def _server(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
