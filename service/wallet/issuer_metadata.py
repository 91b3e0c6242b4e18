"""What a credential issuer and its authorization server say of themselves."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from service.credentials.credential_types import UnknownCredentialTypeError, type_of
from service.credentials.w3c_document import name_type
from service.credentials.w3c_errors import W3cDocumentError
from service.fetch import Fetcher
from service.schema_files import load_type_metadata
from service.wallet.errors import RejectedError
from service.wallet.http import get_json, insert_well_known, optional_text, text_member
from service.wallet.message_encryption import EncryptionTerms, read_encryption_terms
from service.wallet.offers import CredentialOffer

PROOF_ALGORITHM = "ES256"
MAX_BATCH = 64
_SUBJECT = "The issuer's metadata"
_SERVER = "The authorization server's metadata"


@dataclass(frozen=True, slots=True)
class CredentialConfiguration:
    """One credential that this wallet can receive, with what its type says to people; ``scope`` may be empty."""

    id: str
    scope: str
    format: str
    vct: str
    name: str
    description: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class IssuerMetadata:
    """A credential issuer.

    Attributes:
        identifier: Credential Issuer Identifier.
        name: What the issuer calls itself, else the identifier; nobody vouches for it.
        credential_endpoint, nonce_endpoint, notification_endpoint: Addresses; ``None`` if there is none.
        batch_size: How many copies one request may ask for.
        configurations: Those that this wallet can receive, by id.
        authorization_servers: Issuer identifiers of authorization servers, at least one.
        deferred_endpoint: Where to come back for a credential; ``None`` if none is issued later.
        encryption: How requests are encrypted; ``None`` if they aren't.
    """

    identifier: str
    name: str
    credential_endpoint: str
    nonce_endpoint: str | None
    notification_endpoint: str | None
    batch_size: int
    configurations: Mapping[str, CredentialConfiguration]
    authorization_servers: Sequence[str]
    deferred_endpoint: str | None = None
    encryption: EncryptionTerms | None = None


async def fetch_issuer_metadata(identifier: str, *, fetcher: Fetcher) -> IssuerMetadata:
    """Fetch and read a credential issuer's metadata; unknown members are ignored.

    Raises:
        RejectedError: They are another issuer's, compared byte for byte, or malformed.
        RefusedError, FetchError: They can't be had.

    Source: OpenID4VCI 1.0, sections 12.2.2 and 12.2.4.
    """
    raw = await get_json(fetcher, insert_well_known(identifier, "openid-credential-issuer"), subject=_SUBJECT)
    if raw.get("credential_issuer") != identifier:
        raise RejectedError("The issuer's metadata belong to another issuer than the offer names.")
    return IssuerMetadata(
        identifier=identifier,
        name=_display(raw).get("name") or identifier,
        credential_endpoint=text_member(raw, "credential_endpoint", _SUBJECT),
        nonce_endpoint=optional_text(raw, "nonce_endpoint", _SUBJECT),
        notification_endpoint=optional_text(raw, "notification_endpoint", _SUBJECT),
        batch_size=_read_batch_size(raw),
        configurations=_read_configurations(raw),
        authorization_servers=_read_servers(raw, identifier),
        deferred_endpoint=optional_text(raw, "deferred_credential_endpoint", _SUBJECT),
        encryption=read_encryption_terms(raw),
    )


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """A server that gives access tokens.

    Attributes:
        identifier: Its issuer identifier.
        token_endpoint: Address.
        authorization_endpoint, pushed_request_endpoint: Addresses; ``None`` if there is none.
        names_itself: Whether its answers to authorization requests carry ``iss``.
        takes_dpop: Whether tokens may be bound to a key of ours (RFC 9449, section 5.1).
    """

    identifier: str
    token_endpoint: str
    authorization_endpoint: str | None
    pushed_request_endpoint: str | None
    names_itself: bool
    takes_dpop: bool


async def find_authorization_server(
    metadata: IssuerMetadata, offer: CredentialOffer, *, fetcher: Fetcher
) -> AuthorizationServer:
    """Return the server that serves the offer's grant; errors as ``fetch_issuer_metadata``.

    Source: OpenID4VCI 1.0, sections 4.1.1 and 12.2.4 (``authorization_servers``); RFC 8414, section 3.3.
    """
    servers = metadata.authorization_servers
    if offer.authorization_server is not None:
        if offer.authorization_server not in servers:
            raise RejectedError("The offer names an authorization server that isn't the issuer's.")
        servers = [offer.authorization_server]
    found = [await _fetch_server(server, fetcher) for server in servers[:5]]
    # Servers often leave the list of grants out, so its absence speaks against none.
    fitting = [raw for raw in found if offer.grant_type in raw.get("grant_types_supported", [])]
    chosen = (fitting or found)[0]
    algorithms = chosen.get("dpop_signing_alg_values_supported")
    return AuthorizationServer(
        identifier=chosen["issuer"],
        token_endpoint=text_member(chosen, "token_endpoint", _SERVER),
        authorization_endpoint=optional_text(chosen, "authorization_endpoint", _SERVER),
        pushed_request_endpoint=optional_text(chosen, "pushed_authorization_request_endpoint", _SERVER),
        names_itself=chosen.get("authorization_response_iss_parameter_supported") is True,
        takes_dpop=isinstance(algorithms, list) and PROOF_ALGORITHM in algorithms,
    )


async def _fetch_server(server: str, fetcher: Fetcher) -> Mapping[str, Any]:
    raw = await get_json(fetcher, insert_well_known(server, "oauth-authorization-server"), subject=_SERVER)
    if raw.get("issuer") != server:
        raise RejectedError("The authorization server's metadata belong to another server.")
    if not isinstance(raw.get("grant_types_supported", []), list):
        raise RejectedError("The authorization server's grant_types_supported isn't a list.")
    return raw


def _read_servers(raw: Mapping[str, Any], identifier: str) -> list[str]:
    servers = raw.get("authorization_servers", [identifier])
    if not isinstance(servers, list) or not servers or not all(isinstance(item, str) for item in servers):
        raise RejectedError("The issuer's authorization_servers isn't a list of identifiers.")
    return servers


def _read_batch_size(raw: Mapping[str, Any]) -> int:
    match raw.get("batch_credential_issuance"):
        case {"batch_size": int() as size} if size >= 1:
            return min(size, MAX_BATCH)
    return 1


def _read_configurations(raw: Mapping[str, Any]) -> dict[str, CredentialConfiguration]:
    supported = raw.get("credential_configurations_supported")
    if not isinstance(supported, dict):
        raise RejectedError("The issuer's metadata hold no credential configurations.")
    return {
        configuration_id: _read_configuration(configuration_id, item)
        for configuration_id, item in supported.items()
        if isinstance(item, dict) and _can_receive(item)
    }


def _can_receive(item: Mapping[str, Any]) -> bool:
    match item:
        case {
            "format": str(),
            "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": list() as algorithms} as proof},
        }:
            is_provable = PROOF_ALGORITHM in algorithms and "key_attestations_required" not in proof
            return is_provable and _read_type(item) is not None
    return False


def _read_type(item: Mapping[str, Any]) -> str | None:
    """Return the type of what this wallet can receive, None for other formats."""
    match item:
        case {"format": "dc+sd-jwt", "vct": str() as vct}:
            return vct
        case {"format": "jwt_vc_json" | "ldp_vc", "credential_definition": {"type": list()} as definition}:
            with suppress(W3cDocumentError):
                return name_type(definition)
    return None


def _read_configuration(configuration_id: str, item: Mapping[str, Any]) -> CredentialConfiguration:
    vct = str(_read_type(item))
    try:
        # For types that we know, our own words go before the issuer's.
        kind = load_type_metadata(type_of(vct).name)
    except UnknownCredentialTypeError:
        stated = item.get("credential_metadata")
        kind = stated if isinstance(stated, dict) else {}
    shown = _display(kind)
    return CredentialConfiguration(
        id=configuration_id,
        scope=optional_text(item, "scope", _SUBJECT) or "",
        format=item["format"],
        vct=vct,
        name=shown.get("name") or configuration_id,
        description=shown.get("description") or "",
        labels=_read_labels(kind.get("claims")),
    )


def _read_labels(claims: Any) -> dict[str, str]:
    labels = {}
    for claim in claims if isinstance(claims, list) else []:
        match claim:
            case {"path": [str() as name] | ["credentialSubject", str() as name]}:
                shown = _display(claim)
                labels[name] = shown.get("label") or shown.get("name") or name
    return labels


def _display(owner: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of the English ``display`` entry, else of the first."""
    display = owner.get("display")
    entries = [entry for entry in display if isinstance(entry, dict)] if isinstance(display, list) else []
    english = [entry for entry in entries if str(entry.get("locale", "")).split("-")[0].lower() == "en"]
    chosen = (english or entries or [{}])[0]
    return {name: value for name, value in chosen.items() if isinstance(value, str)}
