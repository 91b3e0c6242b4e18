"""Credential Requests and Responses that nobody between wallet and issuer reads, where the issuer offers that."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from service.credentials.encryption_key import ALGORITHM, EncryptionKey, load_encryption_key
from service.credentials.jose import MalformedJoseError, write_json
from service.fetch import Fetched
from service.keys.jwe import ENCRYPTION_METHODS, DecryptionError, encrypt
from service.wallet.errors import RejectedError, UnsupportedError
from service.wallet.http import MAX_ANSWER_BYTES
from service.wallet.store import Wallet

JWT = "application/jwt"


@dataclass(frozen=True, slots=True)
class EncryptionTerms:
    """How requests to an issuer are encrypted.

    Attributes:
        recipient: The issuer's key.
        method: Content encryption of requests.
        answer_method: Content encryption of answers; None if the issuer encrypts none.
    """

    recipient: EncryptionKey
    method: str
    answer_method: str | None


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """An encrypted request, and the key for its answer; ``None`` if that comes in plain."""

    token: str
    sealed_key: bytes | None


def read_encryption_terms(raw: Mapping[str, Any]) -> EncryptionTerms | None:
    """Read an issuer's metadata; None if requests can't be encrypted and need not be.

    Raises:
        UnsupportedError: The issuer demands encryption of a kind that this wallet doesn't do.

    Source: OpenID4VCI 1.0, sections 10 and 12.2.4.
    """
    requests, answers = (_read(raw, f"credential_{side}_encryption") for side in ("request", "response"))
    recipient, method = _find_key(requests.get("jwks")), _find_method(requests)
    algorithms = answers.get("alg_values_supported")
    answers_fit = isinstance(algorithms, list) and ALGORITHM in algorithms
    answer_method = _find_method(answers) if answers_fit else None
    can_ask = recipient is not None and method is not None
    if (requests.get("encryption_required") is True and not can_ask) or (
        answers.get("encryption_required") is True and not (can_ask and answer_method)
    ):
        raise UnsupportedError("The issuer demands encryption of a kind that this wallet doesn't do.")
    return None if recipient is None or method is None else EncryptionTerms(recipient, method, answer_method)


def seal_request(wallet: Wallet, terms: EncryptionTerms, body: Mapping[str, Any]) -> SealedRequest:
    """Encrypt a request, and ask for an answer that only this wallet can open. Source: OpenID4VCI 1.0, section 8.2."""
    sealed_key = None
    if terms.answer_method is not None:
        public, sealed_key = wallet.create_decryption_key()
        jwk = {**public, "alg": ALGORITHM, "use": "enc"}
        body = {**body, "credential_response_encryption": {"jwk": jwk, "enc": terms.answer_method}}
    recipient = {**terms.recipient.jwk, "kid": terms.recipient.kid}
    return SealedRequest(encrypt(write_json(body), recipient, method=terms.method), sealed_key)


def open_answer(wallet: Wallet, answer: Fetched, sealed_key: bytes | None) -> Fetched:
    """Return an answer with its body decrypted; errors come in plain.

    Raises:
        RejectedError: A success came in plain though it was asked for encrypted, or doesn't open.
    """
    if sealed_key is None or answer.status not in (200, 202):
        return answer
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != JWT:
        raise RejectedError("The credential response isn't encrypted although that was asked for.")
    try:
        token = answer.body.decode("ascii", errors="replace")
        return replace(answer, body=wallet.decrypt(token, sealed_key, max_bytes=MAX_ANSWER_BYTES))
    except DecryptionError as error:
        raise RejectedError(f"The credential response can't be accepted: {error.detail}") from error


def _read(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _find_key(jwks: Any) -> EncryptionKey | None:
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    for jwk in keys if isinstance(keys, list) else []:
        try:
            key = load_encryption_key(jwk) if isinstance(jwk, dict) else None
        except MalformedJoseError:
            continue
        if key is not None and key.kid is not None:
            return key
    return None


def _find_method(terms: Mapping[str, Any]) -> str | None:
    supported = terms.get("enc_values_supported")
    return next((method for method in ENCRYPTION_METHODS if isinstance(supported, list) and method in supported), None)
