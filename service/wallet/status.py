"""Whether a credential still stands: its entry in the issuer's status list, asked for only when the holder wants."""

from datetime import datetime
from functools import partial

from service.credentials.bitstring_status_list import split_reference
from service.credentials.credential import StatusReference
from service.credentials.jose import parse_jws
from service.credentials.status_list import (
    INVALID,
    MAX_TOKEN_BYTES,
    SUSPENDED,
    VALID,
    StatusList,
    verify_status_list_token,
)
from service.credentials.status_list_credential import (
    MEDIA_TYPES,
    read_status_list_credential,
    verify_status_list_credential,
)
from service.fetch import Fetcher, FetchError
from service.linked_data.bundled_contexts import with_contexts
from service.wallet.errors import NegativeAnswerError, RejectedError, rejecting
from service.wallet.records import StoredCredential
from service.wallet.trusted_keys import find_issuer_key

UNKNOWN = "unknown"
_WORDS = {VALID: "valid", INVALID: "revoked", SUSPENDED: "suspended"}
_SUBJECT = "The status list"


async def check_status(credential: StoredCredential, *, fetcher: Fetcher, now: datetime) -> str:
    """Return ``valid``, ``revoked``, ``suspended``, ``expired`` or ``unknown`` (the list can't be had or trusted).

    A credential whose issuer keeps no status is valid until it expires.

    Source: draft-ietf-oauth-status-list-20, section 8.3.
    """
    if credential.is_expired(now):
        return "expired"
    try:
        values = [await _read_status(credential.issuer, each, fetcher, now) for each in credential.statuses]
    except (NegativeAnswerError, FetchError):
        return UNKNOWN
    return _WORDS.get(next((value for value in values if value != VALID), VALID), UNKNOWN)


async def _read_status(issuer: str, reference: StatusReference, fetcher: Fetcher, now: datetime) -> int:
    address, purpose, _ = split_reference(reference.uri)
    accept = "application/statuslist+jwt" if purpose is None else MEDIA_TYPES
    answer = await fetcher.get(address, accept=accept, max_bytes=MAX_TOKEN_BYTES)
    if answer.status != 200:
        raise RejectedError("The status list can't be had.")
    verify = _verify_token if purpose is None else _verify_credential
    found = await verify(issuer, reference.uri, answer.body, fetcher, now)
    with rejecting(_SUBJECT):
        return found.status_at(reference.index)


async def _verify_token(issuer: str, uri: str, body: bytes, fetcher: Fetcher, now: datetime) -> StatusList:
    text = body.decode("ascii", "replace")
    with rejecting(_SUBJECT):
        token = parse_jws(text, max_bytes=MAX_TOKEN_BYTES)
    key = await find_issuer_key(issuer, token.header.get("kid"), fetcher=fetcher, now=now)
    with rejecting(_SUBJECT):
        return verify_status_list_token(text, key, expected_uri=uri, now=now)


async def _verify_credential(issuer: str, uri: str, body: bytes, fetcher: Fetcher, now: datetime) -> StatusList:
    with rejecting(_SUBJECT):
        read = read_status_list_credential(body)
        named, kid, *_ = read.read_issuer()
    if named != issuer:
        raise RejectedError("The status list is another issuer's.")
    key = await find_issuer_key(issuer, kid, fetcher=fetcher, now=now)
    with rejecting(_SUBJECT):
        verify = partial(verify_status_list_credential, read, key, expected_reference=uri, now=now)
        return await with_contexts(verify)
