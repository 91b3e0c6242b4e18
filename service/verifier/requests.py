"""Make, keep and serve presentation requests (OpenID4VP 1.0)."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.dcql_query import DcqlQuery, parse_dcql_query
from service.credentials.encoding import b64url_encode, write_json
from service.credentials.jose import parse_json, parse_jws
from service.errors import InvalidInputError, NotFoundError, ProtocolError
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.personal_data import PresentedContent
from service.storage.tables import Organization, PresentationRequest
from service.verifier.purposes import build_query, find_purpose
from service.web.context import Context
from service.web.instants import format_instant
from service.web.signing import VERIFIER, get_active_key, sign_token

LIFETIME = timedelta(minutes=10)
SELF_ISSUED_AUDIENCE = "https://self-issued.me/v2"
REQUEST_TYP = "oauth-authz-req+jwt"
SIGNATURE_ALGORITHMS = ["ES256", "ES384", "EdDSA", "Ed25519"]
ENCRYPTION_METHODS = ["A128GCM", "A256GCM"]
DIRECT_POST, DIRECT_POST_JWT = "direct_post", "direct_post.jwt"
MAX_WALLET_NONCE = 512
# A browser reads '\\' as '/', so another host than ours could be meant; the rest is no part of an address at all.
_ADDRESS = re.compile(r"[^\s\\<>\"`{}|^\x00-\x20\x7f]+")


class DcqlQueryUnsupportedError(InvalidInputError):
    """A valid query that asks for what we cannot verify: another format, or no proof of the holder."""

    code = "dcql_query_unsupported"


class ResponseModeUnsupportedError(InvalidInputError):
    """Not one of direct_post and direct_post.jwt."""

    code = "response_mode_unsupported"


class ClientIdPrefixUnsupportedError(InvalidInputError):
    """Only ``decentralized_identifier`` is offered."""

    code = "client_id_prefix_unsupported"


class RedirectUriInvalidError(InvalidInputError):
    """Not an absolute https address (http on localhost) without a fragment."""

    code = "redirect_uri_invalid"


class TransactionDataInvalidError(InvalidInputError):
    """An entry lacks its type, does not name exactly one queried credential, or wants another hash than sha-256."""

    code = "transaction_data_invalid"


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What a platform asks for: a purpose or its own query, never both."""

    purpose: str | None = None
    dcql_query: Any = None
    investor_ref: str | None = None
    response_mode: str = DIRECT_POST
    client_id_prefix: str = "decentralized_identifier"
    redirect_uri: str | None = None
    transaction_data: Sequence[dict[str, Any]] | None = None


async def create_presentation_request(
    session: AsyncSession, context: Context, org_id: str, new: NewRequest, now: datetime
) -> PresentationRequest:
    """Build, sign and keep a request.

    Raises:
        InvalidInputError: One of the errors above, or an unknown purpose.
        NoSigningKeyError: The organisation has no verifier key.

    Source: OpenID4VP 1.0, sections 5.1, 5.10 and 8.2; RFC 9101.
    """
    if new.response_mode not in (DIRECT_POST, DIRECT_POST_JWT):
        raise ResponseModeUnsupportedError("response_mode must be direct_post or direct_post.jwt.")
    if new.client_id_prefix != "decentralized_identifier":
        raise ClientIdPrefixUnsupportedError("client_id_prefix must be decentralized_identifier.")
    query = _read_query(new)
    organization = await session.get_one(Organization, org_id)
    request_id = new_id("preq")
    encryption_jwk, sealed_key = None, None
    if new.response_mode == DIRECT_POST_JWT:
        encryption_jwk, sealed_key = context.signer.create_decryption_key()
    row = PresentationRequest(
        org_id=org_id,
        id=request_id,
        purpose=new.purpose,
        dcql_query=query.to_json(),
        investor_ref=new.investor_ref,
        response_mode=new.response_mode,
        client_id=f"decentralized_identifier:{organization.did}",
        nonce=secrets.token_urlsafe(32),
        wallet_state=secrets.token_urlsafe(32),
        request_object="",
        transaction_data=_encode_transaction_data(new.transaction_data, query),
        redirect_uri=_check_redirect_uri(new.redirect_uri),
        sealed_decryption_key=sealed_key,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    claims = _build_claims(row, context.base_url, _build_client_metadata(organization.name, encryption_jwk))
    row.request_object = await _sign_request(session, context, organization, claims)
    session.add(row)
    append_audit_entry(
        session,
        org_id=org_id,
        kind="presentation.requested",
        subject_id=row.id,
        record={"purpose": row.purpose, "investor_ref": row.investor_ref, "asked": _list_asked(query)},
        recorded_at=now,
    )
    return row


def _list_asked(query: DcqlQuery) -> dict[str, list[str]]:
    # Names only: the values that a query accepts may be about one person.
    return {item.id: sorted({str(claim.path[0]) for claim in item.claims or ()}) for item in query.credentials}


def _read_query(new: NewRequest) -> DcqlQuery:
    if new.purpose is not None:
        return parse_dcql_query(build_query(find_purpose(new.purpose)))
    query = parse_dcql_query(new.dcql_query)
    for item in query.credentials:
        if item.format != "dc+sd-jwt":
            raise DcqlQueryUnsupportedError("Only credentials of the format dc+sd-jwt can be asked for.")
        if not item.require_cryptographic_holder_binding:
            raise DcqlQueryUnsupportedError("Credentials are only accepted with the proof of their holder.")
    return query


def _encode_transaction_data(entries: Sequence[dict[str, Any]] | None, query: DcqlQuery) -> list[str] | None:
    if entries is None:
        return None
    choices = [[item.id] for item in query.credentials]
    for entry in entries:
        if not isinstance(entry.get("type"), str) or entry.get("credential_ids") not in choices:
            raise TransactionDataInvalidError("Each entry needs a type and one queried credential in credential_ids.")
        algorithms = entry.get("transaction_data_hashes_alg", ["sha-256"])
        if not isinstance(algorithms, list) or "sha-256" not in algorithms:
            raise TransactionDataInvalidError("transaction_data_hashes_alg must be a list that allows sha-256.")
    return [b64url_encode(write_json(entry)) for entry in entries]


def _check_redirect_uri(uri: str | None) -> str | None:
    if uri is None:
        return None
    try:
        parts = urlsplit(uri)
        is_allowed = _may_be_opened(parts) and bool(_ADDRESS.fullmatch(uri)) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address, or a port that is none
        is_allowed = False
    if not is_allowed:
        raise RedirectUriInvalidError("redirect_uri must be an absolute https address without a fragment.")
    return uri


def _may_be_opened(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    is_local = host == "localhost" or host.endswith(".localhost")
    is_encrypted = parts.scheme == "https" or (parts.scheme == "http" and is_local)
    return is_encrypted and bool(host) and not parts.fragment and parts.username is None


def _build_client_metadata(name: str, encryption_jwk: dict[str, Any] | None) -> dict[str, Any]:
    algorithms = {"sd-jwt_alg_values": SIGNATURE_ALGORITHMS, "kb-jwt_alg_values": SIGNATURE_ALGORITHMS}
    metadata: dict[str, Any] = {"client_name": name, "vp_formats_supported": {"dc+sd-jwt": algorithms}}
    if encryption_jwk is not None:
        metadata["jwks"] = {"keys": [{**encryption_jwk, "use": "enc", "alg": "ECDH-ES"}]}
        metadata["encrypted_response_enc_values_supported"] = ENCRYPTION_METHODS
    return metadata


def _build_claims(row: PresentationRequest, base_url: str, client_metadata: dict[str, Any]) -> dict[str, Any]:
    claims = {  # no iss: wallets have to ignore it (section 5), and some refuse one that is not the signer's DID
        "aud": SELF_ISSUED_AUDIENCE,
        "client_id": row.client_id,
        "response_type": "vp_token",
        "response_mode": row.response_mode,
        "response_uri": f"{base_url}/openid4vp/responses/{row.id}",
        "nonce": row.nonce,
        "state": row.wallet_state,
        "dcql_query": row.dcql_query,
        "client_metadata": client_metadata,
        "iat": int(row.created_at.timestamp()),
        "exp": int(row.expires_at.timestamp()),
    }
    if row.purpose is not None:
        claims["purpose"] = find_purpose(row.purpose).title  # not of the protocol: wallets that know it show it
    if row.transaction_data is not None:
        claims["transaction_data"] = row.transaction_data
    return claims


async def _sign_request(
    session: AsyncSession, context: Context, organization: Organization, claims: dict[str, Any]
) -> str:
    key = await get_active_key(session, organization.id, VERIFIER)
    return sign_token(context.signer, key, typ=REQUEST_TYP, claims=claims, kid=f"{organization.did}#{key.kid}")


async def find_request(session: AsyncSession, request_id: str) -> PresentationRequest:
    """Return a request by the id that its addresses carry, whoever asks.

    Raises:
        NotFoundError: No such request.
    """
    row = (await session.exec(select(PresentationRequest).where(PresentationRequest.id == request_id))).first()
    if row is None:
        raise NotFoundError
    return row


async def load_request_object(
    session: AsyncSession, context: Context, request_id: str, *, wallet_nonce: str | None, now: datetime
) -> str:
    """Return the signed Request Object: always the same, but for the nonce that a wallet may add.

    Raises:
        NotFoundError: No such request.
        ProtocolError: It has expired (410), or ``wallet_nonce`` is too long.

    Source: OpenID4VP 1.0, section 5.10.
    """
    row = await find_request(session, request_id)
    if now >= row.expires_at:
        raise ProtocolError("invalid_request_uri", "The request has expired.", status=410)
    if wallet_nonce is None:
        return row.request_object
    if not 0 < len(wallet_nonce) <= MAX_WALLET_NONCE:
        raise ProtocolError("invalid_request", "wallet_nonce is empty or too long.")
    claims = parse_json(parse_jws(row.request_object).payload)
    organization = await session.get_one(Organization, row.org_id)
    return await _sign_request(session, context, organization, claims | {"wallet_nonce": wallet_nonce})


def state_of(row: PresentationRequest, now: datetime) -> str:
    """Return ``pending``, ``verified``, ``rejected`` or ``expired``."""
    return "expired" if row.state == "pending" and now >= row.expires_at else row.state


def build_request_uri(base_url: str, row: PresentationRequest) -> str:
    """Return where a wallet fetches the Request Object."""
    return f"{base_url}/openid4vp/requests/{row.id}"


def build_deep_link(base_url: str, row: PresentationRequest) -> str:
    """Return the link that opens a wallet."""
    parameters = {"client_id": row.client_id, "request_uri": build_request_uri(base_url, row)}
    return f"openid4vp://?{urlencode(parameters)}"


def describe_new_request(base_url: str, row: PresentationRequest) -> dict[str, Any]:
    """Return the answer to its creation."""
    return {
        "id": row.id,
        "request_uri": build_request_uri(base_url, row),
        "deep_link": build_deep_link(base_url, row),
        "web_link": f"{base_url}/presentation-requests/{row.id}",
        "expires_at": format_instant(row.expires_at),
    }


def describe_request(row: PresentationRequest, presented: PresentedContent, now: datetime) -> dict[str, Any]:
    """Return the request as its platform sees it."""
    answer = {
        "id": row.id,
        "state": state_of(row, now),
        "purpose": row.purpose,
        "investor_ref": row.investor_ref,
        "credentials": presented.credentials,
        "checks": presented.checks,
        "created_at": format_instant(row.created_at),
        "expires_at": format_instant(row.expires_at),
        "answered_at": None if row.answered_at is None else format_instant(row.answered_at),
    }
    return answer if row.response_code is None else answer | {"response_code": row.response_code}
