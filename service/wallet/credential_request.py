"""What the wallet sends with an access token: Credential Requests with fresh proofs, and notifications."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.credentials.key_proof import build_key_proof
from service.fetch import Fetched, Fetcher, FetchError
from service.keys import PublicKey
from service.wallet.dpop import DpopSender
from service.wallet.errors import UnsupportedError
from service.wallet.http import MAX_ANSWER_BYTES, post_json, read_error, read_object, refused, text_member
from service.wallet.issuer_metadata import IssuerMetadata
from service.wallet.message_encryption import JWT, open_answer, seal_request
from service.wallet.store import Wallet


@dataclass(frozen=True, slots=True)
class IssuerSession:
    """A redeemed offer: whose access token, for whose wallet, with what to reach the issuer, at which aware time.

    ``dpop`` is there if the token is bound to its key.
    ``client_id`` is what the wallet is called at the issuer; ``None`` if it asked anonymously.
    """

    wallet: Wallet
    issuer: IssuerMetadata
    token: str
    fetcher: Fetcher
    now: datetime
    dpop: DpopSender | None
    client_id: str | None = None

    async def post(self, url: str, body: Mapping[str, Any]) -> Fetched:
        """Send JSON with the access token; the answer may have any status."""
        if self.dpop is not None:
            return await self.dpop.post(url, access_token=self.token, json=dict(body))
        return await post_json(self.fetcher, url, body, token=self.token)

    async def exchange(self, url: str, body: Mapping[str, Any]) -> Fetched:
        """Send a request, encrypted if the issuer takes that; the answer is in plain and may have any status.

        Raises:
            RejectedError: The answer should have been encrypted to us and wasn't.
            FetchError: There is none.

        Source: OpenID4VCI 1.0, section 10.
        """
        terms = self.issuer.encryption
        if terms is None:
            return await self.post(url, body)
        sealed = seal_request(self.wallet, terms, body)
        return open_answer(self.wallet, await self._post_jwt(url, sealed.token), sealed.sealed_key)

    async def _post_jwt(self, url: str, token: str) -> Fetched:
        content = token.encode()
        if self.dpop is not None:
            return await self.dpop.post(url, access_token=self.token, content=content, media_type=JWT)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": JWT}
        return await self.fetcher.post(url, content=content, headers=headers, max_bytes=MAX_ANSWER_BYTES)


async def request_credential(session: IssuerSession, named: Mapping[str, str], keys: Sequence[PublicKey]) -> Fetched:
    """Ask for one credential in as many copies as there are keys; once more if the nonce was stale.

    Args:
        session: Whom to ask, and with what.
        named: ``credential_identifier`` or ``credential_configuration_id``, never both.
        keys: Holder keys of the session's wallet.

    Raises:
        RefusedError: The issuer refused.
        UnsupportedError: It gives no nonce.
        RejectedError, FetchError: The nonce or the answer can't be had.

    Source: OpenID4VCI 1.0, sections 7, 8.2, 8.3 and appendix F.1.
    """
    answer = await _send(session, named, keys)
    if answer.status == 400 and read_error(answer)[0] == "invalid_nonce":
        answer = await _send(session, named, keys)
    if answer.status not in (200, 202):
        raise refused(answer, "The credential request")
    return answer


async def notify(session: IssuerSession, body: Mapping[str, Any], event: str) -> None:
    """Tell the issuer what became of a Credential Response, if it wants to know.

    A failure is passed over: the credential is kept or lost all the same.

    Source: OpenID4VCI 1.0, section 11.1.
    """
    endpoint, notification_id = session.issuer.notification_endpoint, body.get("notification_id")
    if endpoint is None or not isinstance(notification_id, str):
        return
    notice = {"notification_id": notification_id, "event": event}
    with suppress(FetchError):
        await session.post(endpoint, notice)


async def _send(session: IssuerSession, named: Mapping[str, str], keys: Sequence[PublicKey]) -> Fetched:
    nonce = await _fetch_nonce(session)
    proofs = [
        build_key_proof(
            key.jwk,
            audience=session.issuer.identifier,
            nonce=nonce,
            issued_at=session.now,
            sign=session.wallet.signing_function(key.kid),
            client_id=session.client_id,
        )
        for key in keys
    ]
    body = {**named, "proofs": {"jwt": proofs}}
    return await session.exchange(session.issuer.credential_endpoint, body)


async def _fetch_nonce(session: IssuerSession) -> str:
    endpoint = session.issuer.nonce_endpoint
    if endpoint is None:
        raise UnsupportedError("The issuer gives no nonce, so the proof of the holder key could be replayed.")
    answer = await session.fetcher.post(endpoint)
    if session.dpop is not None:
        session.dpop.keep_nonce(endpoint, answer)
    if not 200 <= answer.status < 300:
        raise refused(answer, "The nonce request")
    return text_member(read_object(answer.body, "The nonce response"), "c_nonce", "The nonce response")
