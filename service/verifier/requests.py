"""Make, keep and describe presentation requests (OpenID4VP 1.0)."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.encoding import write_json
from service.credentials.transaction_data import read_transaction_data
from service.errors import InvalidInputError, NotFoundError
from service.storage.audit import write_audit_entry
from service.storage.held_answers import forget_held_answers
from service.storage.ids import new_id
from service.storage.personal_data import PresentedContent
from service.storage.rows import get_row
from service.storage.tables import Organization
from service.verifier.client_identity import (
    DID,
    REDIRECT_URI,
    Asker,
    ClientIdentity,
    ClientIdPrefixUnsupportedError,
    choose_identity,
)
from service.verifier.request_objects import (
    MAX_REQUEST_BYTES,
    build_client_metadata,
    build_response_uri,
    is_signed,
    read_parameters,
    write_request,
)
from service.verifier.request_rows import KeptRequest, add_request, find_kept_request
from service.verifier.request_terms import (
    ENCRYPTED_MODES,
    NewRequest,
    check_origins,
    check_redirect_uri,
    check_response_mode,
    encode_transaction_data,
    list_asked,
    read_query,
    uses_dc_api,
)
from service.web.context import Context
from service.web.instants import format_instant

LIFETIME = timedelta(minutes=10)
MAX_LINK_CHARACTERS = 65_536
ORIGIN = "origin"
DC_API_SIGNED, DC_API_UNSIGNED = "openid4vp-v1-signed", "openid4vp-v1-unsigned"


class RequestUriMethodInvalidError(InvalidInputError):
    """Neither get nor post, or post where the wallet fetches nothing."""

    code = "request_uri_method_invalid"


class PresentationRequestTooLongError(InvalidInputError):
    """The query and the transaction data make a request that wallets could not read."""

    code = "presentation_request_too_long"


async def create_presentation_request(
    connection: AsyncConnection, context: Context, org_id: str, new: NewRequest, now: datetime
) -> KeptRequest:
    """Build, sign and keep a request; forget what waited for browsers that never came back.

    Raises:
        InvalidInputError: What is asked for is not possible; see ``request_terms`` and ``client_identity``.
        PresentationRequestTooLongError: See there.
        NoSigningKeyError: The organisation has no verifier key.

    Source: OpenID4VP 1.0, sections 5.1, 5.9, 5.10, 8.2 and appendix A; RFC 9101.
    """
    await forget_held_answers(connection, org_id, now)
    mode = check_response_mode(new.response_mode)
    query = read_query(new)
    organization = await get_row(connection, Asker, Organization, {"id": org_id})
    request_id = new_id("preq")
    response_uri = build_response_uri(context.base_url, request_id)
    identity = await _choose_identity(connection, organization, new, response_uri, now)
    _check_method(new, identity)
    encryption_jwk, sealed_key = context.signer.create_decryption_key() if mode in ENCRYPTED_MODES else (None, None)
    draft = KeptRequest(
        org_id=org_id,
        id=request_id,
        purpose=new.purpose,
        dcql_query=query.to_json(),
        investor_ref=new.investor_ref,
        response_mode=mode,
        client_id=identity.client_id,
        request_uri_method=new.request_uri_method,
        nonce=secrets.token_urlsafe(32),
        wallet_state=secrets.token_urlsafe(32),
        request_object="",
        transaction_data=encode_transaction_data(new.transaction_data, query),
        redirect_uri=check_redirect_uri(new),
        same_device=new.same_device,
        expected_origins=check_origins(new.expected_origins, mode),
        sealed_decryption_key=sealed_key,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    metadata = build_client_metadata(organization.name, mode, encryption_jwk)
    row = replace(draft, request_object=write_request(context.signer, draft, identity, metadata, context.base_url))
    _check_length(context.base_url, row)
    await add_request(connection, row)
    await write_audit_entry(
        connection,
        org_id=org_id,
        kind="presentation.requested",
        subject_id=row.id,
        record={"purpose": row.purpose, "investor_ref": row.investor_ref, "asked": list_asked(query)},
        recorded_at=now,
    )
    return row


async def _choose_identity(
    connection: AsyncConnection, organization: Asker, new: NewRequest, response_uri: str, now: datetime
) -> ClientIdentity:
    over_dc_api = uses_dc_api(new.response_mode)
    if over_dc_api and new.client_id_prefix is None:
        return ClientIdentity(ORIGIN)  # the browser says who asks; the name stands in no message
    if over_dc_api and new.client_id_prefix == REDIRECT_URI:
        raise ClientIdPrefixUnsupportedError("redirect_uri names no party of the Digital Credentials API.")
    prefix = DID if new.client_id_prefix is None else new.client_id_prefix
    return await choose_identity(connection, organization, prefix, response_uri=response_uri, now=now)


def _check_method(new: NewRequest, identity: ClientIdentity) -> None:
    fetched = identity.key is not None and not uses_dc_api(new.response_mode)
    if new.request_uri_method != "get" and not (new.request_uri_method == "post" and fetched):
        raise RequestUriMethodInvalidError("request_uri_method must be get, or post where a Request Object is fetched.")


def _check_length(base_url: str, row: KeptRequest) -> None:
    if len(row.request_object.encode()) > MAX_REQUEST_BYTES:
        raise PresentationRequestTooLongError(f"The request would be longer than {MAX_REQUEST_BYTES} bytes.")
    if len(build_deep_link(base_url, row) or "") > MAX_LINK_CHARACTERS:  # an unsigned request stands in it
        raise PresentationRequestTooLongError(f"The link would be longer than {MAX_LINK_CHARACTERS} characters.")


async def find_request(connection: AsyncConnection, request_id: str) -> KeptRequest:
    """Return a request by the id that its addresses carry, whoever asks.

    Raises:
        NotFoundError: No such request.
    """
    row = await find_kept_request(connection, id=request_id)
    if row is None:
        raise NotFoundError
    return row


def state_of(row: KeptRequest, now: datetime) -> str:
    """Return ``pending``, ``verified``, ``rejected`` or ``expired``."""
    return "expired" if row.state == "pending" and now >= row.expires_at else row.state


def build_request_uri(base_url: str, row: KeptRequest) -> str | None:
    """Return where a wallet fetches the Request Object; None if there is none to fetch."""
    return f"{base_url}/openid4vp/requests/{row.id}" if is_signed(row) and not uses_dc_api(row.response_mode) else None


def build_deep_link(base_url: str, row: KeptRequest) -> str | None:
    """Return the link that opens a wallet; None if a browser carries the request.

    Source: OpenID4VP 1.0, sections 5.4 and 5.10.
    """
    if uses_dc_api(row.response_mode):
        return None
    request_uri = build_request_uri(base_url, row)
    if request_uri is None:
        parameters = {
            name: value if isinstance(value, str) else write_json(value).decode()
            for name, value in read_parameters(row).items()
        }
    else:
        parameters = {"client_id": row.client_id, "request_uri": request_uri}
        if row.request_uri_method != "get":
            parameters["request_uri_method"] = row.request_uri_method
    return f"openid4vp://?{urlencode(parameters)}"


def build_page_link(base_url: str, row: KeptRequest) -> str | None:
    """Return the page that carries the request to a wallet; None if a browser carries it."""
    return None if uses_dc_api(row.response_mode) else f"{base_url}/presentation-requests/{row.id}"


def build_wallet_link(base_url: str, row: KeptRequest) -> str | None:
    """Return the link that opens the request in this deployment's web wallet; None if a browser carries it.

    The request stands in the fragment, which no server sees.
    """
    link = build_deep_link(base_url, row)
    return None if link is None else f"{base_url}/wallet/#request={quote(link, safe='')}"


def build_dc_api_request(row: KeptRequest) -> dict[str, Any]:
    """Return what a page passes to ``navigator.credentials.get`` as an element of ``digital.requests``.

    Source: OpenID4VP 1.0, appendices A.1 and A.3.
    """
    if is_signed(row):
        return {"protocol": DC_API_SIGNED, "data": {"request": row.request_object}}
    return {"protocol": DC_API_UNSIGNED, "data": read_parameters(row)}


def describe_new_request(base_url: str, row: KeptRequest) -> dict[str, Any]:
    """Return the answer to its creation."""
    page = build_page_link(base_url, row)
    answer = {
        "id": row.id,
        "request_uri": build_request_uri(base_url, row),
        "deep_link": build_deep_link(base_url, row),
        "web_link": page,
        "wallet_link": build_wallet_link(base_url, row),
        "qr_code_link": None if page is None else f"{page}/qr-code",
        "expires_at": format_instant(row.expires_at),
    }
    return answer | {"dc_api_request": build_dc_api_request(row)} if page is None else answer


def describe_request(row: KeptRequest, presented: PresentedContent, now: datetime) -> dict[str, Any]:
    """Return the request as its platform sees it."""
    answer = {
        "id": row.id,
        "state": state_of(row, now),
        "purpose": row.purpose,
        "investor_ref": row.investor_ref,
        "credentials": presented.credentials,
        "checks": presented.checks,
        "transaction_data": _describe_transaction_data(row),
        "awaits_return": row.sealed_held_answer is not None and now < row.expires_at,
        "created_at": format_instant(row.created_at),
        "expires_at": format_instant(row.expires_at),
        "answered_at": None if row.answered_at is None else format_instant(row.answered_at),
    }
    # Of one device only the browser itself may tell the code.
    return answer if row.response_code is None or row.same_device else answer | {"response_code": row.response_code}


def _describe_transaction_data(row: KeptRequest) -> list[dict[str, Any]]:
    """Return what the holder was asked to agree to; a request that verified was agreed to in full."""
    return [
        {
            "type": data.type,
            "credential_ids": list(data.credential_ids),
            "fields": dict(data.fields),
            "encoded": data.encoded,
            "agreed": row.state == "verified",
        }
        for data in map(read_transaction_data, row.transaction_data or [])
    ]
