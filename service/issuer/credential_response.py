"""Answers of the credential endpoints, before they are put on the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.issuer.encryption import ResponseEncryption


@dataclass(frozen=True, slots=True)
class CredentialResponse:
    """What a wallet gets.

    Attributes:
        status: 200 with credentials, 202 with a transaction to ask for later.
        body: Parameters of the answer.
        encryption: How the wallet wants it; None in plain.
    """

    status: int
    body: Mapping[str, Any]
    encryption: ResponseEncryption | None


def grant_credentials(
    credentials: Sequence[Any], notification_id: str | None, encryption: ResponseEncryption | None
) -> CredentialResponse:
    """Answer with credentials, texts or objects, one per key in the order of the keys.

    Source: OpenID4VCI 1.0, section 8.3.
    """
    body = {"credentials": [{"credential": credential} for credential in credentials]}
    named = {} if notification_id is None else {"notification_id": notification_id}
    return CredentialResponse(200, {**body, **named}, encryption)


def defer_credentials(wait: Mapping[str, Any], encryption: ResponseEncryption | None) -> CredentialResponse:
    """Answer with a transaction to ask for later. Source: OpenID4VCI 1.0, sections 8.3 and 9.2."""
    return CredentialResponse(202, wait, encryption)
