"""Read a Credential Request and verify its key proofs.

Source: OpenID4VCI 1.0, sections 8.2 and 8.3.1.2, appendix F.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

from service.credentials.configurations import CONFIGURATIONS
from service.credentials.jose import MalformedJoseError, parse_json
from service.credentials.key_attestation import KeyAttestation, verify_key_attestation
from service.credentials.key_proof import HolderKey, InvalidNonceError, InvalidProofError, verify_key_proof
from service.errors import MalformedError, ProtocolError, VerificationError
from service.issuer.encryption import ResponseEncryption, read_response_encryption
from service.issuer.identity import Issuer
from service.issuer.key_attestations import AttestationPolicy, Requirement
from service.issuer.nonces import check_nonce
from service.keys import Signer

BATCH_SIZE = 10
JWT_PROOF, ATTESTATION_PROOF = "jwt", "attestation"
PROOF_ALGORITHMS = ("ES256", "ES384", "EdDSA", "Ed25519")


@dataclass(frozen=True, slots=True)
class Proofs:
    """Key proofs of one type: ``jwt``, or a single ``attestation``."""

    kind: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CredentialRequest:
    """What a wallet asks for: by configuration or by identifier, never both, for which keys, and how."""

    configuration_id: str | None
    identifier: str | None
    proofs: Proofs
    encryption: ResponseEncryption | None


@dataclass(frozen=True, slots=True)
class ProvedKeys:
    """Distinct public holder keys, those of the proofs first, and the nonces to spend, each with its end.

    The ``kid`` of a key is the DID by which it was proved; a key that was proved as such has none.
    """

    jwks: tuple[Mapping[str, Any], ...]
    nonces: Mapping[str, datetime]


def read_credential_request(body: bytes, *, is_encrypted: bool) -> CredentialRequest:
    """Parse the body; members that we do not know are ignored.

    Args:
        body: JSON text, decrypted.
        is_encrypted: Whether it came encrypted.

    Raises:
        ProtocolError: ``invalid_credential_request``, ``invalid_encryption_parameters`` or ``invalid_proof``.
    """
    raw = read_object(body)
    encryption = read_response_encryption(raw, is_encrypted=is_encrypted)
    configuration_id, identifier = (
        _read_text(raw, "credential_configuration_id"),
        _read_text(raw, "credential_identifier"),
    )
    if (configuration_id is None) == (identifier is None):
        raise ProtocolError(
            "invalid_credential_request", "Send either credential_configuration_id or credential_identifier."
        )
    return CredentialRequest(configuration_id, identifier, _read_proofs(raw.get("proofs")), encryption)


def read_object(body: bytes) -> dict[str, Any]:
    """Parse a body that must be a JSON object; raises ``invalid_credential_request``."""
    try:
        raw = parse_json(body)
    except MalformedJoseError:
        raw = None
    if not isinstance(raw, dict):
        raise ProtocolError("invalid_credential_request", "The body is not a JSON object.")
    return raw


def check_authorized(request: CredentialRequest, *, offered_id: str, identifier: str | None) -> None:
    """Check that the access token covers what is asked for.

    Args:
        request: As read.
        offered_id: Credential configuration of the offer.
        identifier: The ``credential_identifier`` that came with the token, None if none did.

    Raises:
        ProtocolError: ``unknown_credential_identifier``, ``unknown_credential_configuration``,
            ``invalid_credential_request``, or ``insufficient_scope`` (403).

    Source: OpenID4VCI 1.0, sections 3.3.4 and 8.2; RFC 6750, section 3.1.
    """
    if request.identifier is not None:
        if request.identifier != identifier:
            raise ProtocolError("unknown_credential_identifier", "No such credential_identifier came with this token.")
        return
    if request.configuration_id not in CONFIGURATIONS:
        raise ProtocolError("unknown_credential_configuration", "No such credential configuration.")
    if identifier is not None:
        raise ProtocolError("invalid_credential_request", "Use the credential_identifier that came with this token.")
    if request.configuration_id != offered_id:
        detail = "The access token is for another credential configuration."
        challenge = f'Bearer realm="issuer", error="insufficient_scope", error_description="{detail}"'
        raise ProtocolError("insufficient_scope", detail, status=403, challenge=challenge)


def verify_proofs(
    proofs: Proofs,
    *,
    signer: Signer,
    issuer: Issuer,
    client_id: str | None,
    policy: AttestationPolicy,
    requirement: Requirement | None,
    now: datetime,
) -> ProvedKeys:
    """Verify every proof and its nonce; whether a nonce was spent before shows when it is spent.

    Args:
        client_id: What the wallet called itself in its token request; None if it asked anonymously.
        policy: Whose key attestations count.
        requirement: What has to be attested of every key for this credential; None if nothing has to.

    Raises:
        ProtocolError: ``invalid_proof`` (also if two proofs are of one key), or ``invalid_nonce``.

    Source: OpenID4VCI 1.0, section 8.2, appendices D.1 and F.
    """
    try:
        keys: Sequence[HolderKey] = ()
        if proofs.kind == ATTESTATION_PROOF:
            attestations = _verify_attestation_proof(proofs, policy, now)
        else:
            keys = _verify_jwt_proofs(proofs, issuer, client_id, policy, now)
            attestations = [key.attestation for key in keys]
        _check_requirement(attestations, requirement)
        nonces = {
            nonce: check_nonce(signer, nonce, org_id=issuer.org_id, now=now)
            for nonce in [key.nonce for key in keys] + [each.nonce for each in attestations if each is not None]
        }
    except (InvalidProofError, InvalidNonceError) as error:
        raise proof_error(error) from error
    except (MalformedError, VerificationError) as error:
        raise ProtocolError("invalid_proof", f"The key attestation is not valid: {error.detail}") from error
    return ProvedKeys(_gather_keys(keys, attestations), nonces)


def _verify_jwt_proofs(
    proofs: Proofs, issuer: Issuer, client_id: str | None, policy: AttestationPolicy, now: datetime
) -> tuple[HolderKey, ...]:
    @cache  # the proofs of a batch come with the same attestation
    def verify_attestation(token: str) -> KeyAttestation:
        return verify_key_attestation(
            token, find_key=partial(policy.find_key, now=now), now=now, algorithms=PROOF_ALGORITHMS, require_exp=True
        )

    keys = tuple(
        verify_key_proof(
            proof,
            audience=issuer.identifier,
            nonce=None,
            now=now,
            client_id=client_id,
            algorithms=PROOF_ALGORITHMS,
            verify_attestation=verify_attestation if policy.counts else None,
        )
        for proof in proofs.tokens
    )
    if len({key.thumbprint for key in keys}) != len(keys):
        raise InvalidProofError("Two proofs are of the same key.")
    return keys


def _verify_attestation_proof(proofs: Proofs, policy: AttestationPolicy, now: datetime) -> list[KeyAttestation | None]:
    if not policy.counts or len(proofs.tokens) != 1:
        raise InvalidProofError("One attestation is taken, and only where the metadata name that proof type.")
    [token] = proofs.tokens
    return [
        verify_key_attestation(
            token, find_key=partial(policy.find_key, now=now), now=now, algorithms=PROOF_ALGORITHMS, require_exp=False
        )
    ]


def _check_requirement(attestations: Sequence[KeyAttestation | None], requirement: Requirement | None) -> None:
    if requirement is None:
        return
    if any(each is None or not requirement.is_met_by(each) for each in attestations):
        raise InvalidProofError("The metadata ask for a key attestation that says more of the key.")


def _gather_keys(
    keys: Sequence[HolderKey], attestations: Sequence[KeyAttestation | None]
) -> tuple[Mapping[str, Any], ...]:
    """Return proved keys, then others that were attested with them, as many as one response holds."""
    found = {key.thumbprint: key.jwk if key.did is None else {**key.jwk, "kid": key.did} for key in keys}
    for attestation in attestations:
        if attestation is not None:
            found |= {name: jwk for name, jwk in attestation.jwks.items() if name not in found}
    return tuple(found.values())[:BATCH_SIZE]


def proof_error(error: InvalidProofError | InvalidNonceError) -> ProtocolError:
    """Give a refused proof the shape of the protocol."""
    return ProtocolError(error.code, error.detail)


def _read_text(raw: Mapping[str, Any], name: str) -> str | None:
    value = raw.get(name)
    if name in raw and not isinstance(value, str):
        raise ProtocolError("invalid_credential_request", f"The parameter {name} is not a string.")
    return value


def _read_proofs(raw: Any) -> Proofs:
    if not isinstance(raw, dict) or len(raw) != 1 or not raw.keys() <= {JWT_PROOF, ATTESTATION_PROOF}:
        raise ProtocolError("invalid_proof", "The parameter proofs must hold exactly one proof type that we support.")
    [(kind, tokens)] = raw.items()
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ProtocolError("invalid_proof", f"The parameter proofs.{kind} must be an array of JWTs.")
    if not 1 <= len(tokens) <= BATCH_SIZE:
        raise ProtocolError("invalid_proof", f"Between 1 and {BATCH_SIZE} proofs are accepted.")
    return Proofs(kind, tuple(tokens))
