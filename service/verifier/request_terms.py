"""What a platform may ask for, checked before a request is made."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from service.credentials.dcql_query import (
    AUTHORITY_KEY_ID,
    SD_JWT_VC_FORMAT,
    W3C_FORMATS,
    CredentialQuery,
    DcqlQuery,
    DcqlSyntaxError,
    parse_dcql_query,
)
from service.credentials.encoding import b64url_encode, write_json
from service.credentials.transaction_data import (
    HASH_ALGORITHMS,
    OWN_TYPES,
    REPRESENTATION,
    STATEMENTS,
    TransactionData,
    TransactionDataError,
    check_meaning,
    choose_hash_algorithms,
    read_transaction_data,
)
from service.errors import InvalidInputError
from service.verifier.purposes import build_query, find_purpose

DIRECT_POST, DIRECT_POST_JWT = "direct_post", "direct_post.jwt"
DC_API, DC_API_JWT = "dc_api", "dc_api.jwt"
RESPONSE_MODES = (DIRECT_POST, DIRECT_POST_JWT, DC_API, DC_API_JWT)
ENCRYPTED_MODES = (DIRECT_POST_JWT, DC_API_JWT)
# A browser reads '\\' as '/', so another host than ours could be meant; the rest is no part of an address at all.
_ADDRESS = re.compile(r"[^\s\\<>\"`{}|^\x00-\x20\x7f]+")
QUERIED_FORMATS = (SD_JWT_VC_FORMAT, *W3C_FORMATS)


class DcqlQueryUnsupportedError(InvalidInputError):
    """A valid query that asks for what we cannot verify: another format or authority, or no proof of the holder."""

    code = "dcql_query_unsupported"


class ResponseModeUnsupportedError(InvalidInputError):
    """Not one of direct_post, direct_post.jwt, dc_api and dc_api.jwt."""

    code = "response_mode_unsupported"


class RedirectUriInvalidError(InvalidInputError):
    """Not an absolute https address (http on localhost) without a fragment, or no place for one."""

    code = "redirect_uri_invalid"


class ExpectedOriginsInvalidError(InvalidInputError):
    """The Digital Credentials API needs origins, https ones (http on localhost), and nothing else may have them."""

    code = "expected_origins_invalid"


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What a platform asks for: a purpose, in one of ``formats``, or its own query, never both."""

    purpose: str | None = None
    formats: Sequence[str] = (SD_JWT_VC_FORMAT,)
    dcql_query: Any = None
    investor_ref: str | None = None
    response_mode: str = DIRECT_POST
    client_id_prefix: str | None = None
    request_uri_method: str = "get"
    redirect_uri: str | None = None
    same_device: bool = False
    expected_origins: Sequence[str] | None = None
    transaction_data: Sequence[dict[str, Any]] | None = None


def uses_dc_api(response_mode: str) -> bool:
    """Tell whether a browser carries request and answer, not a link and a post."""
    return response_mode in (DC_API, DC_API_JWT)


def check_response_mode(mode: str) -> str:
    """Return a mode that we answer to; raises ResponseModeUnsupportedError."""
    if mode not in RESPONSE_MODES:
        raise ResponseModeUnsupportedError(f"response_mode must be one of {', '.join(RESPONSE_MODES)}.")
    return mode


def read_query(new: NewRequest) -> DcqlQuery:
    """Return the query of a request.

    Raises:
        PurposeUnknownError: No such purpose.
        DcqlSyntaxError: Not a DCQL query, or one that points to a claim twice.
        DcqlQueryUnsupportedError: See there.

    Source: OpenID4VP 1.0, sections 6.1 and 6.1.1.
    """
    if new.purpose is not None:
        return _read_purpose(new.purpose, tuple(new.formats))
    query = parse_dcql_query(new.dcql_query)
    for position, item in enumerate(query.credentials):
        _check_supported(item)
        paths = [claim.path for claim in item.claims or ()]
        if len(set(map(repr, paths))) != len(paths):  # 1 and True are equal as Python sees them
            raise DcqlSyntaxError(f"/credentials/{position}/claims", "points to the same claim twice")
    return query


# Some hundred parts are read one by one, and the same few queries come again and again.
@lru_cache(maxsize=128)
def _read_purpose(purpose_id: str, formats: tuple[str, ...]) -> DcqlQuery:
    return parse_dcql_query(build_query(find_purpose(purpose_id), formats))


def read_kept_query(raw: Mapping[str, Any]) -> DcqlQuery:
    """Read the query of a request as it was kept, which ``read_query`` has checked."""
    try:
        return _read_kept(orjson.dumps(raw))
    except orjson.JSONEncodeError:  # a value of more than 64 bits
        return parse_dcql_query(raw)


@lru_cache(maxsize=32)
def _read_kept(text: bytes) -> DcqlQuery:
    return parse_dcql_query(orjson.loads(text))


def _check_supported(item: CredentialQuery) -> None:
    if item.format not in QUERIED_FORMATS:
        named = ", ".join(QUERIED_FORMATS)
        raise DcqlQueryUnsupportedError(f"Only credentials of the formats {named} can be asked for.")
    if not item.require_cryptographic_holder_binding:
        raise DcqlQueryUnsupportedError("Credentials are only accepted with the proof of their holder.")
    if any(authority.type != AUTHORITY_KEY_ID for authority in item.trusted_authorities or ()):
        raise DcqlQueryUnsupportedError("Of trusted_authorities only the type aki can be checked.")


def list_asked(query: DcqlQuery) -> dict[str, list[str]]:
    """Return the names of the claims that each credential query asks for; the values may be about one person."""
    return {item.id: sorted(item.claim_names) for item in query.credentials}


def encode_transaction_data(entries: Sequence[Mapping[str, Any]] | None, query: DcqlQuery) -> list[str] | None:
    """Return entries as they stand in the request; a representation gets the wording that it stands for.

    Raises:
        TransactionDataError: An entry lacks its type, does not name exactly one queried credential, departs from the
            definition of a type of ours, or leaves no hash algorithm that we compute.
    """
    if entries is None:
        return None
    choices = [(item.id,) for item in query.credentials if item.format == SD_JWT_VC_FORMAT]
    encoded = [b64url_encode(write_json(_complete(entry))) for entry in entries]
    for data in map(read_transaction_data, encoded):
        if data.credential_ids not in choices:
            raise TransactionDataError("credential_ids must name one queried SD-JWT VC.")
        if data.type.startswith(OWN_TYPES):
            check_meaning(data)
    for choice in choices:
        if encoded and not choose_hash_algorithms(_select(encoded, choice[0]))[0]:
            raise TransactionDataError(f"transaction_data_hashes_alg must allow one of {', '.join(HASH_ALGORITHMS)}.")
    return encoded


def _complete(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    statement = STATEMENTS.get(str(entry.get("representation"))) if entry.get("type") == REPRESENTATION else None
    return entry if statement is None else {"statement": statement, **entry}


def _select(encoded: Sequence[str], query_id: str) -> list[TransactionData]:
    return [data for data in map(read_transaction_data, encoded) if query_id in data.credential_ids]


def check_redirect_uri(new: NewRequest) -> str | None:
    """Return where the browser goes after an answer; raises RedirectUriInvalidError."""
    uri = new.redirect_uri
    if uri is None:
        if new.same_device:
            raise RedirectUriInvalidError("same_device needs a redirect_uri to which the browser comes back.")
        return None
    if uses_dc_api(new.response_mode):
        raise RedirectUriInvalidError("Over the Digital Credentials API the browser stays where it is.")
    try:
        parts = urlsplit(uri)
        is_allowed = _may_be_opened(parts) and bool(_ADDRESS.fullmatch(uri)) and parts.port != 0 and "#" not in uri
    except ValueError:  # brackets without an IPv6 address, or a port that is none
        is_allowed = False
    if not is_allowed:
        raise RedirectUriInvalidError("redirect_uri must be an absolute https address without a fragment.")
    return uri


def _may_be_opened(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    is_local = host == "localhost" or host.endswith(".localhost")
    is_encrypted = parts.scheme == "https" or (parts.scheme == "http" and is_local)
    return is_encrypted and bool(host) and parts.username is None


def check_origins(origins: Sequence[str] | None, response_mode: str) -> list[str] | None:
    """Return the origins that may carry a request; raises ExpectedOriginsInvalidError.

    Source: OpenID4VP 1.0, appendix A.2 (``expected_origins``).
    """
    if bool(origins) != uses_dc_api(response_mode):
        raise ExpectedOriginsInvalidError("expected_origins belongs to dc_api and dc_api.jwt, which need it.")
    if origins is None:
        return None
    if not all(map(_is_origin, origins)):
        raise ExpectedOriginsInvalidError("Each of expected_origins must be an https origin, as a browser writes it.")
    return list(origins)


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    default = {"https": 443, "http": 80}.get(parts.scheme)
    written = f"{parts.scheme}://{parts.hostname}" + ("" if port is None else f":{port}")
    return (
        _may_be_opened(parts) and written == text and port not in (0, default) and bool(_HOST.fullmatch(parts.netloc))
    )


_HOST = re.compile(r"[a-z0-9.-]+(:[0-9]{1,5})?")
