"""X.509 certificate chains in JWS headers: read, verified against configured anchors, bound to a name.

An embedded chain proves nothing by itself: callers bring the anchors. Nothing is fetched, so neither revocation lists
nor addresses inside certificates are followed.
"""

import base64
import binascii
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store
from cryptography.x509.verification import VerificationError as PathError

from service.credentials.encoding import MalformedJoseError, b64url_encode
from service.credentials.jwk import VerificationKey, load_key
from service.errors import VerificationError

MAX_CERTIFICATES = 4
"""Longest chain: a leaf and three intermediates."""
MAX_DER_BYTES = 8_192
MAX_ANCHORS = 20
_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
# Where a CA limited what the key is for, signing documents or standing for a host must be among it.
_PURPOSES = frozenset(
    {
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
        _DOCUMENT_SIGNING,
    }
)


class CertificateInvalidError(VerificationError):
    """The certificates cannot be read, or do not fit the key that they come with."""

    code = "certificate_invalid"
    check = "issuer"


class CertificateUntrustedError(VerificationError):
    """No path of valid certificates leads from the leaf to a configured anchor, in the order that was sent."""

    code = "certificate_untrusted"
    check = "issuer"


class CertificateNameError(VerificationError):
    """The leaf certificate stands for somebody else."""

    code = "certificate_name_mismatch"
    check = "issuer"


Chain = tuple[x509.Certificate, ...]
"""Leaf first; each next one certifies the one before."""

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class AlternativeNames:
    """Whom a certificate stands for: DNS names in lower case, and URIs as they stand."""

    dns: frozenset[str]
    uris: frozenset[str]


def read_x5c(value: Any) -> Chain:
    """Read an ``x5c`` header parameter of unknown origin; nothing in it is to be believed yet.

    Raises:
        CertificateInvalidError: Not a list of one to ``MAX_CERTIFICATES`` base64 DER certificates of bounded size.

    Source: RFC 7515, section 4.1.6.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CERTIFICATES:
        raise CertificateInvalidError(f"x5c isn't a list of one to {MAX_CERTIFICATES} certificates.")
    return tuple(map(_read_certificate, value))


def write_x5c(chain: Sequence[x509.Certificate]) -> list[str]:
    """Return the ``x5c`` header parameter. Source: RFC 7515, section 4.1.6."""
    return [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in chain]


def read_pem_certificates(pem: str) -> Chain:
    """Read one or more PEM certificates, in their order.

    Raises:
        CertificateInvalidError: Something else, or more than ``MAX_ANCHORS``.
    """
    if len(pem) > MAX_ANCHORS * MAX_DER_BYTES * 2:
        raise CertificateInvalidError("The certificates are too large.")
    try:
        found = tuple(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError as error:
        raise CertificateInvalidError("The certificates cannot be read as PEM.") from error
    if len(found) > MAX_ANCHORS:
        raise CertificateInvalidError(f"There are more than {MAX_ANCHORS} certificates.")
    return found


def verify_chain(chain: Chain, anchors: Sequence[x509.Certificate], *, now: datetime) -> x509.Certificate:
    """Verify that the chain leads, in its own order, to one of the anchors; returns that anchor.

    Pure. What is checked of each certificate: signature, validity at ``now``, critical extensions; of each CA:
    ``cA``, path length, ``keyCertSign``, name constraints on DNS names; of the leaf: that it is no CA and not
    self-signed, may sign, and is limited to no purpose but those of ``_PURPOSES``.

    Args:
        chain: From :func:`read_x5c`.
        anchors: Certificates that policy trusts; one that was sent along is refused.
        now: Timezone-aware.

    Raises:
        CertificateUntrustedError: See there.

    Source: RFC 5280, section 6; RFC 7515, section 4.1.6; HAIP 1.0, section 6.1.1.
    """
    if not anchors:
        raise CertificateUntrustedError("No anchor is configured.")
    # (1) a path to an anchor
    builder = PolicyBuilder().store(Store(list(anchors))).time(now.astimezone(UTC)).max_chain_depth(MAX_CERTIFICATES)
    verifier = builder.extension_policies(ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY).build_client_verifier()
    try:
        path = verifier.verify(chain[0], list(chain[1:])).chain
    except (PathError, ValueError) as error:  # ValueError: an extension that cannot be parsed
        raise CertificateUntrustedError("The certificates lead to no configured anchor.") from error
    # (2) which is the chain as it was sent: no self-signed leaf, no anchor, nothing out of order or left over
    if tuple(path[:-1]) != chain:
        raise CertificateUntrustedError("The certificates aren't, in their order, the path to an anchor without it.")
    return path[-1]


def load_leaf_key(chain: Chain) -> VerificationKey:
    """Return the leaf's key for verifying signatures.

    Raises:
        CertificateInvalidError: A kind of key that we do not verify with.
    """
    try:
        return load_key(read_public_jwk(chain[0]))
    except MalformedJoseError as error:
        raise CertificateInvalidError(f"The certificate's key cannot be used: {error.detail}") from error


def read_public_jwk(certificate: x509.Certificate) -> dict[str, str]:
    """Return the certified key as a JWK.

    Raises:
        CertificateInvalidError: Neither P-256, P-384 nor Ed25519.
    """
    try:
        key = certificate.public_key()
    except ValueError as error:  # cryptography: a point that isn't on its curve, an unknown curve
        raise CertificateInvalidError("The certificate's key cannot be read.") from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(raw)}
    curves = {"secp256r1": ("P-256", 32), "secp384r1": ("P-384", 48)}
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in curves:
        raise CertificateInvalidError("The certificate's key is of a kind that isn't supported.")
    name, size = curves[key.curve.name]
    numbers = key.public_numbers()
    x, y = (b64url_encode(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": name, "x": x, "y": y}


def check_names(chain: Chain, anchor: x509.Certificate, *, expected_names: Collection[str]) -> None:
    """Check that the leaf stands for one of ``expected_names``: https identifiers and DIDs of one party.

    A DNS name of the leaf must equal an identifier's host (no wildcards), or a URI of it a whole identifier.

    Raises:
        CertificateNameError: Neither; URIs don't count below name constraints, which are checked for DNS names only.

    Source: SD-JWT VC draft, section "Issuer Verification Key Discovery and Validation".
    """
    names = read_alternative_names(chain[0])
    constrained = any(_find_extension(each, x509.NameConstraints) for each in (*chain[1:], anchor))
    if not constrained and not names.uris.isdisjoint(expected_names):
        return
    hosts = set(map(host_of, expected_names)) - {""}  # DIDs have none, which an empty DNS name would equal
    if names.dns.isdisjoint(hosts):
        raise CertificateNameError("The certificate stands for another issuer.")


def read_alternative_names(certificate: x509.Certificate) -> AlternativeNames:
    """Return the subject alternative names that we compare.

    Raises:
        CertificateInvalidError: The extensions cannot be read.
    """
    names = _find_extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return AlternativeNames(frozenset(), frozenset())
    dns = names.get_values_for_type(x509.DNSName)
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return AlternativeNames(frozenset(name.lower() for name in dns), frozenset(uris))


def hash_certificate(certificate: x509.Certificate) -> str:
    """Return base64url of the SHA-256 of the DER form. Source: OpenID4VP 1.0, section 5.9.3 (``x509_hash``)."""
    return b64url_encode(sha256(certificate.public_bytes(Encoding.DER)).digest())


def read_authority_key_ids(x5c: Any) -> frozenset[str]:
    """Return the authority key identifiers in an ``x5c``, as base64url; none where it cannot be read.

    Nothing is verified: they say who claims to have certified, which is a hint and no proof.

    Source: OpenID4VP 1.0, section 6.1.1.1 (``aki``); RFC 5280, section 4.2.1.1.
    """
    try:
        found = [_find_extension(each, x509.AuthorityKeyIdentifier) for each in read_x5c(x5c)]
    except CertificateInvalidError:
        return frozenset()
    return frozenset(b64url_encode(each.key_identifier) for each in found if each and each.key_identifier)


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate names itself as its issuer, as self-signed ones do."""
    return certificate.subject == certificate.issuer


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is a CA's.

    Raises:
        CertificateInvalidError: The extensions cannot be read.
    """
    constraints = _find_extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def host_of(identifier: str) -> str:
    """Return the host of an http(s) URL in lower case, ``""`` where there is none."""
    try:
        parts = urlsplit(identifier)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("https", "http") else ""


def _read_certificate(encoded: Any) -> x509.Certificate:
    if not isinstance(encoded, str) or len(encoded) > MAX_DER_BYTES * 4 // 3 + 4:
        raise CertificateInvalidError("A certificate in x5c is no text, or too large.")
    try:
        return x509.load_der_x509_certificate(binascii.a2b_base64(encoded.encode("ascii"), strict_mode=True))
    except ValueError as error:
        raise CertificateInvalidError("A certificate in x5c isn't base64 of DER.") from error


def _find_extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except ValueError as error:  # an extension twice, or one that cannot be parsed
        raise CertificateInvalidError("The certificate's extensions cannot be read.") from error


def _check_ca_usage(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("A CA that may not sign certificates.")


def _check_leaf_constraints(_: Policy, __: x509.Certificate, constraints: x509.BasicConstraints | None) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("The leaf is a CA.")


def _check_leaf_usage(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("The leaf may not sign.")


def _check_leaf_purposes(_: Policy, __: x509.Certificate, purposes: x509.ExtendedKeyUsage | None) -> None:
    if purposes is not None and _PURPOSES.isdisjoint(purposes):
        raise ValueError("The leaf is for something else.")


_ANY = Criticality.AGNOSTIC
# Web PKI's own rules would refuse the private CAs of credential ecosystems, which leave out what browsers ask for.
_CA_POLICY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, _ANY, None)
    .may_be_present(x509.KeyUsage, _ANY, _check_ca_usage)
)
_LEAF_POLICY = (
    ExtensionPolicy.permit_all()
    .may_be_present(x509.BasicConstraints, _ANY, _check_leaf_constraints)
    .may_be_present(x509.KeyUsage, _ANY, _check_leaf_usage)
    .may_be_present(x509.ExtendedKeyUsage, _ANY, _check_leaf_purposes)
)
