"""Issue and verify as the façade is asked to: by signatures and the data model, without trust and without status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.data_integrity import Proof, add_proof, read_proofs, verify_proofs
from service.credentials.did import resolve_did_jwk, resolve_did_key, select_verification_key
from service.credentials.jose import VerificationKey
from service.credentials.jwt_vc import parse_jwt, read_jwt_vc, verify_jwt_vc
from service.credentials.jwt_vp import open_envelope
from service.credentials.linked_data_errors import ProofInvalidError, ProofMalformedError
from service.credentials.rdf import Contexts
from service.credentials.vc_data_model import check_credential, check_presentation, read_identifier
from service.credentials.w3c_document import ENVELOPED_CREDENTIAL, V1_CONTEXT
from service.errors import InvalidInputError, MalformedError
from service.vc_api.issuers import FacadeIssuer, write_proof_options
from service.vc_api.statuses import FacadeStatuses

DATA_INTEGRITY_CONTEXT = "https://w3id.org/security/data-integrity/v2"


class UnknownIssuerError(InvalidInputError):
    """The credential's issuer is none of the façade's."""

    code = "issuer_not_here"


def resolve_did(did: str) -> dict[str, Any]:
    """Return the document of a did:key or did:jwk.

    Raises:
        MalformedDidError, MalformedJoseError: Of another method, or not well-formed.
    """
    return resolve_did_jwk(did) if did.startswith("did:jwk:") else resolve_did_key(did)


def issue_credential(
    credential: Mapping[str, Any],
    options: Mapping[str, Any],
    issuers: Mapping[str, FacadeIssuer],
    statuses: FacadeStatuses,
    contexts: Contexts,
    *,
    now: datetime,
) -> dict[str, Any]:
    """Sign a credential with the key of the issuer that it names.

    Args:
        credential: Untrusted.
        options: ``cryptosuite`` may be named, and with ``statusPurpose`` a status asked
            for; of the purpose ``message`` with the entry's ``statusMessage`` and perhaps ``statusReference``.
        issuers: The façade's own, by DID.
        statuses: Of these issuers.
        contexts: The contexts that it may name.
        now: Goes into the proof, in whole seconds.

    Raises:
        UnknownIssuerError: See there.
        VerificationError: The credential isn't one, or cannot be signed without losing something.
    """
    check_credential(credential)
    contexts.check_related(credential)
    issuer = issuers.get(read_identifier(credential["issuer"], "issuer"))
    if issuer is None:
        raise UnknownIssuerError("The credential's issuer is none of the façade's.")
    statuses.check(credential)
    if "statusPurpose" in options:
        credential = statuses.add_entries(credential, issuer, options)
    proof = write_proof_options(issuer, options.get("cryptosuite"), now)
    return add_proof(_with_proof_context(credential), proof, issuer.key, issuer.sign, contexts)


def verify_credential(
    credential: Mapping[str, Any],
    options: Mapping[str, Any],
    statuses: FacadeStatuses,
    contexts: Contexts,
    *,
    now: datetime,
) -> None:
    """Verify a credential: data model, period, proofs, that its issuer's key made one, and its status if kept here.

    Raises:
        VerificationError: It doesn't hold.
    """
    validity = check_credential(credential)
    contexts.check_related(credential)
    proofs = _verify_proofs(credential, "assertionMethod", options, contexts, now)
    validity.check(now)
    issuer = read_identifier(credential["issuer"], "issuer")
    # What keys belong to an issuer without a DID isn't for the façade to find out.
    if issuer.startswith("did:") and all(_controller(proof) != issuer for proof in proofs):
        raise ProofInvalidError("No proof is the issuer's.")
    statuses.check(credential)


def verify_presentation(
    presentation: Mapping[str, Any],
    options: Mapping[str, Any],
    statuses: FacadeStatuses,
    contexts: Contexts,
    *,
    now: datetime,
) -> None:
    """Verify a presentation and every credential in it.

    Raises:
        VerificationError: One doesn't hold, or the holder made none of the presentation's proofs.
    """
    check_presentation(presentation)
    proofs = _verify_proofs(presentation, "authentication", options, contexts, now)
    if "holder" in presentation:
        holder = read_identifier(presentation["holder"], "holder")
        if all(_controller(proof) != holder for proof in proofs):
            raise ProofInvalidError("No proof is the holder's.")
    credentials = presentation.get("verifiableCredential", [])
    for credential in credentials if isinstance(credentials, list) else [credentials]:
        if ENVELOPED_CREDENTIAL in str(credential.get("type")):
            _verify_enveloped(credential, statuses, now)
        else:
            verify_credential(credential, {}, statuses, contexts, now=now)


def _verify_enveloped(envelope: Mapping[str, Any], statuses: FacadeStatuses, now: datetime) -> None:
    """Verify a ``vc+jwt`` by the key of the DID that issued it. Source: VCDM 2.0, section 4.13.1."""
    read = read_jwt_vc(parse_jwt(open_envelope(envelope, ENVELOPED_CREDENTIAL)))
    issuer, kid, *_ = read.read_issuer()
    try:
        key = select_verification_key(resolve_did(issuer), kid or "", relationship="assertionMethod")
    except MalformedError as error:
        raise ProofMalformedError(f"The credential's key cannot be found: {error.detail}") from error
    verify_jwt_vc(read, key, now=now, require_exp=False)
    statuses.check(read.document)


def _verify_proofs(
    document: Mapping[str, Any], purpose: str, options: Mapping[str, Any], contexts: Contexts, now: datetime
) -> list[Proof]:
    proofs = read_proofs(document)
    keys = {proof.method: _find_key(proof, purpose) for proof in proofs}
    verify_proofs(
        document,
        proofs,
        keys,
        contexts,
        expected_purpose=purpose,
        now=now,
        expected_challenge=options.get("challenge"),
        expected_domain=options.get("domain"),
    )
    return proofs


def _find_key(proof: Proof, purpose: str) -> VerificationKey:
    try:
        return select_verification_key(resolve_did(_controller(proof)), proof.method, relationship=purpose)
    except MalformedError as error:
        raise ProofMalformedError(f"The proof's key cannot be found: {error.detail}") from error


def _controller(proof: Proof) -> str:
    return proof.method.partition("#")[0]


def _with_proof_context(credential: Mapping[str, Any]) -> Mapping[str, Any]:
    """Version 1.1's own context knows nothing of Data Integrity. Source: VC Data Integrity 1.0, section 2.4.2."""
    contexts = credential["@context"]
    if V1_CONTEXT not in contexts or DATA_INTEGRITY_CONTEXT in contexts:
        return credential
    listed = contexts if isinstance(contexts, list) else [contexts]
    return {**credential, "@context": [*listed, DATA_INTEGRITY_CONTEXT]}
