"""Whose key attestations an issuer believes, and which credentials it issues to attested keys only.

Source: OpenID4VCI 1.0, sections 8.2 and 12.2.4, appendix D.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.x509 import Certificate
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.certificates import (
    CertificateInvalidError,
    is_authority,
    load_leaf_key,
    read_pem_certificates,
    read_x5c,
    verify_chain,
)
from service.credentials.configurations import CONFIGURATIONS
from service.credentials.jose import MalformedJoseError, VerificationKey, load_key
from service.credentials.key_attestation import InvalidKeyAttestationError, KeyAttestation
from service.errors import InvalidInputError
from service.storage.audit import append_audit_entry
from service.storage.rows import find_row
from service.storage.tables import KeyAttestationPolicy

MAX_KEYS = 20


class KeyAttestationPolicyInvalidError(InvalidInputError):
    """A key cannot be used or told apart, a credential is unknown, or attestations are required of nobody."""

    code = "key_attestation_policy_invalid"


@dataclass(frozen=True, slots=True)
class Requirement:
    """What must be said of a key: any of the values where there are some; empty lists ask for no more than trust."""

    key_storage: frozenset[str] = frozenset()
    user_authentication: frozenset[str] = frozenset()

    def is_met_by(self, attestation: KeyAttestation) -> bool:
        """Tell whether an attestation says enough."""
        return all(
            not accepted or accepted & stated
            for accepted, stated in (
                (self.key_storage, attestation.key_storage),
                (self.user_authentication, attestation.user_authentication),
            )
        )


@dataclass(frozen=True, slots=True)
class AttestationPolicy:
    """Trusted attesters' keys by ``kid``, CAs that certify theirs, and requirements by credential configuration."""

    keys: Mapping[str, VerificationKey] = field(default_factory=dict)
    anchors: tuple[Certificate, ...] = ()
    required: Mapping[str, Requirement] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether anybody's attestations mean anything here."""
        return bool(self.keys or self.anchors)

    def find_key(self, header: Mapping[str, Any], *, now: datetime) -> VerificationKey:
        """Return the attester's key that a header names, or brings with certificates below one of our anchors.

        Raises:
            InvalidKeyAttestationError: There is none.
            CertificateInvalidError, CertificateUntrustedError: What comes with it proves nothing.
        """
        if self.anchors and "x5c" in header:
            chain = read_x5c(header["x5c"])
            verify_chain(chain, self.anchors, now=now)
            return load_leaf_key(chain)
        kid: str = header.get("kid", "")
        if kid not in self.keys:
            raise InvalidKeyAttestationError("The key attestation is signed by no attester that we trust.")
        return self.keys[kid]


@dataclass(frozen=True, slots=True)
class _Row:
    """See ``tables.KeyAttestationPolicy``."""

    attesters: list[dict[str, Any]]
    required: dict[str, dict[str, Any]]


async def read_policy(connection: AsyncConnection, org_id: str) -> AttestationPolicy:
    """Return an issuer's policy; without one, no attestation counts and none is required."""
    row = await find_row(connection, _Row, KeyAttestationPolicy, {"org_id": org_id})
    return AttestationPolicy() if row is None else _load(row.attesters, row.required)


async def describe_policy(session: AsyncSession, org_id: str) -> dict[str, Any]:
    """Return the policy as it was sent."""
    row = await session.get(KeyAttestationPolicy, org_id)
    return {"attesters": [], "required": {}} if row is None else {"attesters": row.attesters, "required": row.required}


async def put_policy(
    session: AsyncSession,
    org_id: str,
    *,
    attesters: Sequence[Mapping[str, Any]],
    required: Mapping[str, Mapping[str, Any]],
    now: datetime,
) -> None:
    """Replace an issuer's policy; it holds from the next request on.

    Raises:
        KeyAttestationPolicyInvalidError: See there.
    """
    policy = _load(attesters, required)
    if not required.keys() <= CONFIGURATIONS.keys():
        raise KeyAttestationPolicyInvalidError("required: names a credential configuration that there is not.")
    if policy.required and not policy.counts:
        raise KeyAttestationPolicyInvalidError("required: nobody is trusted to attest.")
    row = await session.get(KeyAttestationPolicy, org_id)
    row = row or KeyAttestationPolicy(org_id=org_id, attesters=[], required={}, updated_at=now)
    row.attesters, row.required = [dict(each) for each in attesters], {name: dict(x) for name, x in required.items()}
    row.updated_at = now
    session.add(row)
    record = {"attesters": row.attesters, "required": row.required}
    append_audit_entry(
        session, org_id=org_id, kind="key_attestation_policy.changed", subject_id=org_id, record=record, recorded_at=now
    )


def _load(attesters: Sequence[Mapping[str, Any]], required: Mapping[str, Mapping[str, Any]]) -> AttestationPolicy:
    keys: dict[str, VerificationKey] = {}
    anchors: list[Certificate] = []
    for attester in attesters:
        anchors += _load_anchors(attester.get("x509_anchors", ()))
        for key in _load_keys(attester["jwks"]) if "jwks" in attester else ():
            if key.kid is None or key.kid in keys:
                raise KeyAttestationPolicyInvalidError("attesters: every key needs a kid that no other has.")
            keys[key.kid] = key
    return AttestationPolicy(
        keys, tuple(anchors), {name: _load_requirement(wanted) for name, wanted in required.items()}
    )


def _load_requirement(wanted: Mapping[str, Any]) -> Requirement:
    return Requirement(frozenset(wanted.get("key_storage", ())), frozenset(wanted.get("user_authentication", ())))


def _load_anchors(texts: Sequence[str]) -> list[Certificate]:
    try:
        found = [certificate for text in texts for certificate in read_pem_certificates(text)]
        if not all(map(is_authority, found)):
            raise KeyAttestationPolicyInvalidError("attesters: each of x509_anchors is the certificate of a CA.")
    except CertificateInvalidError as error:
        raise KeyAttestationPolicyInvalidError(f"attesters: {error.detail}") from error
    return found


def _load_keys(jwks: Mapping[str, Any]) -> list[VerificationKey]:
    raw = jwks.get("keys")
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_KEYS or not all(isinstance(key, dict) for key in raw):
        raise KeyAttestationPolicyInvalidError(f"attesters: each has a JWK Set of 1 to {MAX_KEYS} keys.")
    try:
        return [load_key(key) for key in raw]
    except MalformedJoseError as error:
        raise KeyAttestationPolicyInvalidError(f"attesters: {error.detail}") from error
