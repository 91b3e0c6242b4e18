"""Whom the holder lets vouch for verifiers: certification authorities, and issuers of verifier attestations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.credentials.certificates import Chain, read_pem_certificates
from service.credentials.jose import VerificationKey
from service.wallet.errors import RejectedError, rejecting
from service.wallet.trusted_keys import pick_key


@dataclass(frozen=True, slots=True)
class VerifierTrust:
    """What the holder configured; nothing at first.

    Attributes:
        anchors_pem: Certificates that chains of verifiers may lead to.
        attesters: Issuers of verifier attestations, with their keys.
    """

    anchors_pem: str = ""
    attesters: Mapping[str, list[Any]] = field(default_factory=dict)

    @property
    def anchors(self) -> Chain:
        """The certificates; raises RejectedError if they can't be read."""
        with rejecting("The list of trusted certificates"):
            return read_pem_certificates(self.anchors_pem) if self.anchors_pem else ()

    def with_anchors(self, pem: str) -> "VerifierTrust":
        """Trust more certificates; raises RejectedError if they can't be read."""
        more = VerifierTrust(self.anchors_pem + pem.strip() + "\n", self.attesters)
        if not more.anchors:
            raise RejectedError("The file holds no certificate.")
        return more

    def with_attester(self, issuer: str, jwks: Any) -> "VerifierTrust":
        """Trust an issuer of attestations with these keys, in place of those it had; raises RejectedError."""
        keys = jwks.get("keys") if isinstance(jwks, dict) else None
        if not issuer or not isinstance(keys, list) or not keys:
            raise RejectedError("The file holds no key set.")
        return VerifierTrust(self.anchors_pem, {**self.attesters, issuer: keys})

    def find_attester_key(self, issuer: Any, kid: str | None) -> VerificationKey:
        """Return the key that an attestation must be signed with; raises RejectedError."""
        if not isinstance(issuer, str) or issuer not in self.attesters:
            raise RejectedError("The verifier is attested by somebody whom you don't trust to do so.")
        return pick_key(self.attesters[issuer], kid)
