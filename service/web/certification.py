"""Certificates for an organisation's own signing keys: asked for, checked, kept."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.certificates import (
    CertificateInvalidError,
    Chain,
    check_names,
    hash_certificate,
    is_self_issued,
    read_pem_certificates,
    read_public_jwk,
    verify_chain,
    write_x5c,
)
from service.credentials.jwk import jwk_thumbprint
from service.keys import Signer
from service.storage.audit import append_audit_entry
from service.storage.tables import Organization, SigningKey
from service.web.signing import ISSUER, VERIFIER

CERTIFIED_PURPOSES = (ISSUER, VERIFIER)


@dataclass(frozen=True, slots=True)
class CertifiedName:
    """Whom a key's certificate stands for: the host of this deployment, and the organisation's identifier."""

    dns_name: str
    uri: str

    @property
    def accepted(self) -> tuple[str, ...]:
        """One of these must be in the certificate; for a DID it is the host, which x509_san_dns goes by."""
        return (f"https://{self.dns_name}",) if self.uri.startswith("did:") else (self.uri,)


def name_for_certificate(organization: Organization, purpose: str, base_url: str) -> CertifiedName:
    """Return the names of an issuer (its identifier) or a verifier (its DID)."""
    uri = f"{base_url}/issuers/{organization.slug}" if purpose == ISSUER else organization.did
    return CertifiedName(urlsplit(base_url).hostname or "", uri)


def request_certificate(signer: Signer, key: SigningKey, organization: Organization, base_url: str) -> str:
    """Return a certificate signing request as PEM; nothing is recorded."""
    name = name_for_certificate(organization, key.purpose, base_url)
    return signer.create_certificate_request(
        key.kid, common_name=organization.name, dns_name=name.dns_name, uri=name.uri
    )


def import_certificate(
    session: AsyncSession,
    key: SigningKey,
    *,
    pem: str,
    anchor_pem: str | None,
    expected_name: CertifiedName,
    now: datetime,
) -> None:
    """Check a certificate chain and keep it with the key; what the key signs from now on carries it.

    Args:
        session: A transaction.
        key: The key that was certified.
        pem: Leaf first, then intermediates; a root at the end is used to check and not kept.
        anchor_pem: The root, where ``pem`` has none.
        expected_name: From ``name_for_certificate``.
        now: Timezone-aware.

    Raises:
        CertificateInvalidError: Unreadable, without a root, or another key's.
        CertificateUntrustedError, CertificateNameError: See there.
    """
    chain, anchors = _part(read_pem_certificates(pem), read_pem_certificates(anchor_pem) if anchor_pem else ())
    leaf = chain[0]
    if jwk_thumbprint(read_public_jwk(leaf)) != jwk_thumbprint(key.public_jwk):
        raise CertificateInvalidError("The first certificate is another key's.")
    anchor = verify_chain(chain, anchors, now=now)
    check_names(chain, anchor, expected_names=expected_name.accepted)
    key.x5c = write_x5c(chain)
    key.certified_from = max(each.not_valid_before_utc for each in chain)
    key.certified_until = min(each.not_valid_after_utc for each in chain)
    session.add(key)
    append_audit_entry(
        session,
        org_id=key.org_id,
        kind="key.certified",
        subject_id=key.kid,
        record={"purpose": key.purpose, "leaf_sha256": hash_certificate(leaf), "x5c": key.x5c},
        recorded_at=now,
    )


def _part(sent: Chain, anchors: Chain) -> tuple[Chain, Chain]:
    """Part a chain from the root at its end."""
    if len(sent) > 1 and is_self_issued(sent[-1]):
        return sent[:-1], (*anchors, sent[-1])
    if not anchors:
        raise CertificateInvalidError("The chain ends without a root certificate; name one with --anchor.")
    return sent, anchors
