"""Presentations of linked-data credentials, as their holder makes them: each in its own version of the data model."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.data_integrity import add_proof
from service.credentials.did import find_holder_key
from service.credentials.instants import write_instant
from service.credentials.jose import SignFunction
from service.credentials.ldp_vc_issuing import CRYPTOSUITE, JWS_CONTEXT, PROOF_TYPE_1
from service.credentials.rdf import Contexts
from service.credentials.sd_jwt_errors import HolderBindingMissingError
from service.credentials.w3c_document import PRESENTATION, V1_CONTEXT, V2_CONTEXT, read_subject


def present_ldp_vc(
    credential: Mapping[str, Any],
    contexts: Contexts,
    *,
    audience: str,
    nonce: str,
    issued_at: datetime,
    sign: SignFunction,
) -> dict[str, Any]:
    """Make the presentation that shows one credential, all of it, to one verifier, once.

    Args:
        credential: As its holder keeps it, with its proof.
        contexts: The contexts that it may name.
        audience: The verifier's full, prefixed client identifier, or ``origin:<origin>``.
        nonce: From the request.
        issued_at: Now, aware.
        sign: Signs with the P-256 key of the credential's subject.

    Raises:
        HolderBindingMissingError: It isn't about the holder of a did:key or did:jwk.
        VerificationError: The key is of another curve, or there is no canonical form.

    Source: VCDM 2.0, section 4.13; VCDM 1.1, section 4.10; OpenID4VP 1.0, appendix B.1.3.2.
    """
    subject_id = read_subject(credential).get("id")
    key = None if subject_id is None else find_holder_key(subject_id)
    if key is None:
        raise HolderBindingMissingError("The credential names no holder key that can be found.")
    is_version_1 = credential["@context"][0] == V1_CONTEXT
    options = {
        "type" if is_version_1 else "cryptosuite": PROOF_TYPE_1 if is_version_1 else CRYPTOSUITE,
        "created": write_instant(issued_at),
        "verificationMethod": key.kid,
        "proofPurpose": "authentication",
        "challenge": nonce,
        "domain": audience,
    }
    document = {
        "@context": [V1_CONTEXT, JWS_CONTEXT] if is_version_1 else [V2_CONTEXT],
        "type": [PRESENTATION],
        "holder": subject_id,
        "verifiableCredential": [credential],
    }
    return add_proof(document, options, key, sign, contexts)
