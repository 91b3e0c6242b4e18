"""Under which name we ask, and with what a wallet can check it: the client identifier prefixes.

Source: OpenID4VP 1.0, sections 5.9 and 12; HAIP 1.0, section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.certificates import hash_certificate, host_of, read_alternative_names, read_x5c
from service.errors import InvalidInputError
from service.storage.rows import find_row
from service.storage.tables import VerifierAttestation
from service.web.signing import VERIFIER, ActiveKey, find_active_key, get_x5c

DID, REDIRECT_URI, ATTESTATION = "decentralized_identifier", "redirect_uri", "verifier_attestation"
X509_SAN_DNS, X509_HASH = "x509_san_dns", "x509_hash"
PREFIXES = (DID, REDIRECT_URI, ATTESTATION, X509_SAN_DNS, X509_HASH)


class ClientIdPrefixUnsupportedError(InvalidInputError):
    """No prefix of OpenID4VP that we can ask under, or not in this response mode."""

    code = "client_id_prefix_unsupported"


class VerifierAttestationMissingError(InvalidInputError):
    """The key that signs requests has no attestation, or an expired one; ``PUT /v1/verifier-attestation`` takes it."""

    code = "verifier_attestation_missing"


class VerifierCertificateMissingError(InvalidInputError):
    """The key that signs requests has no certificate that is valid now and names our host; see ``keys certify``."""

    code = "verifier_certificate_missing"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks; see ``tables.Organization``."""

    id: str
    did: str
    name: str


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """A client identifier, the key that signs for it, and what else the header of the Request Object must hold.

    Without a key the request is unsigned.
    """

    client_id: str
    key: ActiveKey | None = None
    header: Mapping[str, Any] = field(default_factory=dict)


async def choose_identity(
    connection: AsyncConnection, organization: Asker, prefix: str, *, response_uri: str, now: datetime
) -> ClientIdentity:
    """Return the identity under which an organisation asks.

    Args:
        connection: Reads keys and attestations.
        organization: Who asks.
        prefix: Client identifier prefix, without the colon.
        response_uri: Where the answer goes; the name itself under ``redirect_uri``.
        now: Time of the request.

    Raises:
        ClientIdPrefixUnsupportedError: See there.
        VerifierAttestationMissingError, VerifierCertificateMissingError: See there.
        NoSigningKeyError: The organisation has no verifier key.
    """
    if prefix not in PREFIXES:
        raise ClientIdPrefixUnsupportedError(f"client_id_prefix must be one of {', '.join(PREFIXES)}.")
    if prefix == REDIRECT_URI:
        return ClientIdentity(f"{REDIRECT_URI}:{response_uri}")
    key = await find_active_key(connection, organization.id, VERIFIER)
    if prefix == ATTESTATION:
        return await _be_attested(connection, organization, key, now)
    if prefix in (X509_SAN_DNS, X509_HASH):
        return _be_certified(key, prefix, host_of(response_uri), now)
    return ClientIdentity(f"{DID}:{organization.did}", key, {"kid": f"{organization.did}#{key.kid}"})


@dataclass(frozen=True, slots=True)
class _Attestation:
    """See ``tables.VerifierAttestation``."""

    token: str
    subject: str
    expires_at: datetime


async def _be_attested(
    connection: AsyncConnection, organization: Asker, key: ActiveKey, now: datetime
) -> ClientIdentity:
    place = {"org_id": organization.id, "kid": key.kid}
    row = await find_row(connection, _Attestation, VerifierAttestation, place)
    if row is None or row.expires_at <= now:
        raise VerifierAttestationMissingError("There is no current attestation of the key that signs your requests.")
    return ClientIdentity(f"{ATTESTATION}:{row.subject}", key, {"kid": key.kid, "jwt": row.token})


def _be_certified(key: ActiveKey, prefix: str, host: str, now: datetime) -> ClientIdentity:
    x5c = get_x5c(key, now)
    if x5c is None:
        raise VerifierCertificateMissingError("The key that signs your requests has no certificate that is valid now.")
    leaf = read_x5c(x5c)[0]
    # A wallet that knows only the name sends its answer to no other host.
    if prefix == X509_SAN_DNS and host not in read_alternative_names(leaf).dns:
        raise VerifierCertificateMissingError("The certificate does not name the host that answers go to.")
    name = host if prefix == X509_SAN_DNS else hash_certificate(leaf)
    return ClientIdentity(f"{prefix}:{name}", key, {"kid": key.kid, "x5c": x5c})
