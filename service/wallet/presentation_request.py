"""The parameters of an OpenID4VP authorization request, checked before anybody is asked to answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from service.credentials.dcql import DcqlQuery, parse_dcql_query
from service.credentials.transaction_data import TransactionData
from service.wallet.errors import RejectedError, UnsupportedError, rejecting
from service.wallet.http import split_address, text_member
from service.wallet.transactions import read_transactions

DIRECT_POST, DIRECT_POST_JWT = "direct_post", "direct_post.jwt"
UNSIGNED_PREFIX = "redirect_uri:"
_SUBJECT = "The presentation request"
_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]{1,2048}")


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Where an answer goes, a refusal too; ``state`` is returned with it."""

    response_uri: str
    state: str | None

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.response_uri).netloc


@dataclass(frozen=True, slots=True)
class PresentationRequest:
    """A request that may be answered.

    Attributes:
        client_id: The verifier's full, prefixed identifier.
        authenticated: Whether its key signed the request; else anybody may have written it.
        client_name: What the verifier calls itself; may be empty.
        purpose: What it says that it needs the answer for; may be empty. No part of the protocol, so only shown.
        reply: Where the answer goes.
        encrypted: Whether the answer must be encrypted (``direct_post.jwt``).
        nonce: To be bound into each presentation.
        query: What it asks for.
        client_metadata: Keys for encryption.
        transactions: What the holder would agree to by answering.
    """

    client_id: str
    authenticated: bool
    client_name: str
    purpose: str
    reply: ReplyAddress
    encrypted: bool
    nonce: str
    query: DcqlQuery
    client_metadata: Mapping[str, Any] = field(default_factory=dict)
    transactions: tuple[TransactionData, ...] = ()


def read_reply_address(claims: Mapping[str, Any]) -> ReplyAddress:
    """Find where an answer would go.

    Raises:
        RejectedError: ``response_uri`` is missing, no web address, or not the one that an unsigned request's
            ``client_id`` is made of; ``state`` has characters that it may not have.

    Source: OpenID4VP 1.0, sections 5.3, 5.9.3 and 8.2.
    """
    client_id = text_member(claims, "client_id", _SUBJECT)
    own = client_id.removeprefix(UNSIGNED_PREFIX) if client_id.startswith(UNSIGNED_PREFIX) else None
    response_uri = claims.get("response_uri", own)
    if not isinstance(response_uri, str):
        raise RejectedError("The presentation request doesn't say where the answer goes (response_uri).")
    if own is not None and response_uri != own:
        raise RejectedError("The answer would go elsewhere than to the identifier that the request is made under.")
    split_address(response_uri, "The address that the answer would go to")
    state = claims.get("state")
    if state is not None and not (isinstance(state, str) and _URL_SAFE.fullmatch(state)):
        raise RejectedError("The request's state has characters that it may not have.")
    return ReplyAddress(response_uri, state)


def read_request(claims: Mapping[str, Any], reply: ReplyAddress, *, authenticated: bool) -> PresentationRequest:
    """Check the parameters of a request; unknown ones are ignored.

    1. ``response_type`` is ``vp_token``.
    2. ``response_mode`` is ``direct_post`` or ``direct_post.jwt``, and there is no ``redirect_uri``.
    3. ``nonce`` is there and URL-safe.
    4. ``dcql_query`` is well-formed, and there is no ``scope`` in its stead or beside it.
    5. ``client_metadata`` is an object. What a transaction has to be is ``read_transactions``'s.

    Args:
        claims: Parameters: of the Request Object, or of the link if that is unsigned.
        reply: From ``read_reply_address``.
        authenticated: Whether the verifier's key signed them.

    Raises:
        RejectedError: Any of 1 to 5; ``error`` is what the verifier may be told.
        UnsupportedError: A response type or mode that this wallet doesn't do.

    Source: OpenID4VP 1.0, sections 5.1, 5.2, 5.6, 8.2, 8.3.1, 8.4 and 8.5.
    """
    if claims.get("response_type") != "vp_token":  # (1)
        raise UnsupportedError("The request wants another kind of response than a vp_token.")
    mode = claims.get("response_mode")
    if mode not in (DIRECT_POST, DIRECT_POST_JWT):  # (2)
        raise UnsupportedError("The request wants the answer another way than direct_post or direct_post.jwt.")
    if "redirect_uri" in claims:
        raise RejectedError("The request holds a redirect_uri, which must be absent where answers are posted.")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not _URL_SAFE.fullmatch(nonce):  # (3)
        raise RejectedError("The request has no usable nonce.")
    if "scope" in claims:  # (4)
        raise RejectedError("The request asks by scope; only a DCQL query says exactly what would be shown.")
    with rejecting(_SUBJECT):
        query = parse_dcql_query(claims.get("dcql_query"))
    metadata = claims.get("client_metadata", {})
    if not isinstance(metadata, dict):  # (5)
        raise RejectedError("The request's client_metadata isn't an object.")
    return PresentationRequest(
        client_id=claims["client_id"],
        authenticated=authenticated,
        client_name=_shown(metadata, "client_name"),
        purpose=_shown(claims, "purpose"),
        reply=reply,
        encrypted=mode == DIRECT_POST_JWT,
        nonce=nonce,
        query=query,
        client_metadata=metadata,
        transactions=read_transactions(claims, query, authenticated=authenticated),
    )


def _shown(source: Mapping[str, Any], name: str) -> str:
    value = source.get(name)
    return value if isinstance(value, str) else ""
