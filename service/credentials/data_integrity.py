"""Data Integrity proofs: made, read and verified, alone, in sets and in chains.

A verifier's order: the proofs' form, what each is for, its times, its challenge and domain, that those it builds on
are there, and last its key's signature over the document and the proof itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.credentials.cryptosuites import CRYPTOSUITES, Cryptosuite, hash_secured
from service.credentials.encoding import MalformedJoseError
from service.credentials.instants import parse_instant
from service.credentials.jose import (
    InvalidSignatureError,
    SignFunction,
    VerificationKey,
    verify_raw_signature,
)
from service.credentials.linked_data_errors import (
    ContextUnknownError,
    CryptosuiteUnsupportedError,
    ProofChainError,
    ProofExpiredError,
    ProofInvalidError,
    ProofMalformedError,
    ProofPurposeError,
)
from service.credentials.linked_data_shape import check_shape
from service.credentials.multikey import decode_base58, encode_base58
from service.credentials.rdf import Contexts
from service.credentials.sd_jwt_errors import AudienceMismatchError, NonceMismatchError

PROOF_TYPE = "DataIntegrityProof"
LEEWAY = timedelta(seconds=60)
MAX_PROOFS = 4  # each of them costs a canonical form of the whole document
_NO_CONTEXTS = Contexts({})
_MAX_PROOF_VALUE = 160  # base58 takes quadratic time; 96 bytes have 132 characters


@dataclass(frozen=True, slots=True)
class Proof:
    """One well-formed proof of a supported cryptosuite; nothing in it is to be believed yet.

    Attributes:
        options: The proof without its ``proofValue``.
        suite: The cryptosuite that it names.
        signature: The decoded ``proofValue``.
        method: DID URL of the key.
        purpose: ``assertionMethod``, ``authentication`` or another.
        created_at: When it was made, if it says so.
        expires_at: When it ends, if it says so.
        previous: Identifiers of the proofs that it builds on.
    """

    options: Mapping[str, Any]
    suite: Cryptosuite
    signature: bytes
    method: str
    purpose: str
    created_at: datetime | None
    expires_at: datetime | None
    previous: Sequence[str]


def read_proofs(document: Mapping[str, Any]) -> list[Proof]:
    """Read the proofs of a secured document.

    Raises:
        ProofMalformedError: No proof, too many, or one without type, cryptosuite, verification method, purpose or
            value, or with a member of the wrong form.
        CryptosuiteUnsupportedError: See there.

    Source: VC Data Integrity 1.0, sections 2.1 and 4.4.
    """
    found = document.get("proof")
    proofs = found if isinstance(found, list) else [found]
    if not 1 <= len(proofs) <= MAX_PROOFS:
        raise ProofMalformedError(f"The document has no proof, or more than {MAX_PROOFS}.")
    return [_read_proof(proof) for proof in proofs]


def verify_proofs(
    document: Mapping[str, Any],
    proofs: Sequence[Proof],
    keys: Mapping[str, VerificationKey],
    contexts: Contexts,
    *,
    expected_purpose: str,
    now: datetime,
    expected_challenge: str | None = None,
    expected_domain: str | None = None,
) -> None:
    """Verify every proof of a document.

    Args:
        document: With its ``proof``; parsed from strict JSON.
        proofs: What ``read_proofs`` made of it.
        keys: By ``method``: keys that their controllers list for ``expected_purpose``; the caller looked them up.
        contexts: The contexts that the document may name.
        expected_purpose: ``assertionMethod`` for credentials, ``authentication`` for presentations.
        now: Time of the check, aware.
        expected_challenge: The nonce of our request; None asks for none.
        expected_domain: Our client identifier; None asks for none.

    Raises:
        ProofPurposeError, ProofExpiredError, ProofChainError, ProofInvalidError: See there.
        NonceMismatchError, AudienceMismatchError: Another challenge or domain.
        VerificationError: The document has no canonical form; see ``canonicalize_rdf``.

    Source: VC Data Integrity 1.0, sections 4.4 and 4.5.
    """
    check_shape(document)
    contexts.check(document)
    _check_chain(proofs)
    for proof in proofs:
        if proof.purpose != expected_purpose:
            raise ProofPurposeError("The proof was made for another purpose.")
        _check_times(proof, now)
        if expected_challenge is not None and proof.options.get("challenge") != expected_challenge:
            raise NonceMismatchError("The proof was made for another request.")
        if expected_domain is not None and _texts(proof.options.get("domain")) != [expected_domain]:
            raise AudienceMismatchError("The proof was made for another audience.")
        _verify_signature(document, proof, keys[proof.method], contexts)


def verify_json_proof(
    unsecured: Mapping[str, Any], proof: Proof, key: VerificationKey, *, expected_purpose: str, now: datetime
) -> None:
    """Verify a proof of a JCS suite over JSON that is no linked data and has no contexts.

    Args:
        unsecured: What was signed, without its proof.
        proof: What ``read_proofs`` made of it.
        key: That of ``proof.method``; the caller looked it up.
        expected_purpose: ``assertionMethod`` or another.
        now: Time of the check, aware.

    Raises:
        ProofPurposeError, ProofExpiredError, CryptosuiteUnsupportedError, ProofInvalidError: See there.

    Source: VC DI EdDSA 1.0, section 3.3.2.
    """
    if proof.suite.canonical != "jcs":
        raise CryptosuiteUnsupportedError("The proof's cryptosuite is one for linked data.")
    if proof.purpose != expected_purpose:
        raise ProofPurposeError("The proof was made for another purpose.")
    _check_times(proof, now)
    _check_signature(proof, key, hash_secured(unsecured, proof.options, proof.suite, key, _NO_CONTEXTS))


def add_proof(
    document: Mapping[str, Any],
    options: Mapping[str, Any],
    key: VerificationKey,
    sign: SignFunction,
    contexts: Contexts,
) -> dict[str, Any]:
    """Return a document with one more proof.

    Args:
        document: JSON with an ``@context``; may have proofs already.
        options: ``cryptosuite``, ``verificationMethod``, ``proofPurpose`` and what else the proof shall say.
        key: The public half of the key that ``sign`` uses; it decides how much is hashed.
        sign: Makes the raw signature, for ECDSA R and S side by side.
        contexts: The contexts that the document may name.

    Raises:
        CryptosuiteUnsupportedError: Not a suite of ours, or not one for this key.
        VerificationError: The document has no canonical form, or ``previousProof`` names none of its proofs.

    Source: VC Data Integrity 1.0, sections 4.2 and 4.3; VC DI EdDSA 1.0 and VC DI ECDSA 1.0, sections 3.2.1 and 3.3.1.
    """
    check_shape(document)
    contexts.check(document)
    present = _listed(document.get("proof"))
    proof = {"type": PROOF_TYPE, **options}
    suite = _find_suite(proof.get("cryptosuite"))
    if suite.canonical == "jcs":
        proof["@context"] = document["@context"]
    previous = _texts(proof.get("previousProof"))
    matching = [each for each in present if each.get("id") in previous]
    if len(matching) != len(previous):
        raise ProofChainError("The proof builds on one that isn't there.")
    signature = sign(hash_secured(_unsecured(document, matching), proof, suite, key, contexts))
    proof["proofValue"] = "z" + encode_base58(signature)
    return {**document, "proof": [*present, proof] if present else proof}


def _read_proof(proof: Any) -> Proof:
    if not isinstance(proof, dict):
        raise ProofMalformedError("The document's proof isn't an object.")
    if proof.get("type") != PROOF_TYPE:
        raise ProofMalformedError("The proof isn't a DataIntegrityProof.")
    for name in ("verificationMethod", "proofPurpose", "proofValue", "cryptosuite"):
        if not isinstance(proof.get(name), str):
            raise ProofMalformedError(f"The proof's {name} is missing or isn't text.")
    for name in ("id", "challenge", "nonce"):
        if not isinstance(proof.get(name, ""), str):
            raise ProofMalformedError(f"The proof's {name} isn't text.")
    _texts(proof.get("domain"))
    return Proof(
        options={name: value for name, value in proof.items() if name != "proofValue"},
        suite=_find_suite(proof["cryptosuite"]),
        signature=_decode_value(proof["proofValue"]),
        method=proof["verificationMethod"],
        purpose=proof["proofPurpose"],
        created_at=_read_time(proof, "created"),
        expires_at=_read_time(proof, "expires"),
        previous=_texts(proof.get("previousProof")),
    )


def _find_suite(name: Any) -> Cryptosuite:
    if name not in CRYPTOSUITES:
        raise CryptosuiteUnsupportedError("The proof's cryptosuite isn't supported.")
    return CRYPTOSUITES[name]


def _decode_value(value: str) -> bytes:
    if not value.startswith("z") or len(value) > _MAX_PROOF_VALUE:
        raise ProofMalformedError("The proof's value isn't base58btc multibase text.")
    try:
        return decode_base58(value[1:])
    except MalformedJoseError as error:
        raise ProofMalformedError("The proof's value isn't base58btc multibase text.") from error


def _read_time(proof: Mapping[str, Any], name: str) -> datetime | None:
    if name not in proof:
        return None
    instant = parse_instant(proof[name], require_zone=False)
    if instant is None:
        raise ProofMalformedError(f"The proof's {name} isn't a date and time.")
    return instant


def _texts(value: Any) -> list[str]:
    """Read a text or a list of texts; nothing is an empty list."""
    texts = [] if value is None else _listed(value)
    if not all(isinstance(text, str) for text in texts):
        raise ProofMalformedError("A member of the proof isn't text.")
    return texts


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _check_times(proof: Proof, now: datetime) -> None:
    if proof.created_at is not None and proof.created_at > now + LEEWAY:
        raise ProofExpiredError("The proof was made in the future.")
    if proof.expires_at is not None and proof.expires_at <= now - LEEWAY:
        raise ProofExpiredError("The proof has expired.")


def _check_chain(proofs: Sequence[Proof]) -> None:
    """Check that every proof builds on others that are there, once each, and none on itself in a circle."""
    ids = [proof.options["id"] for proof in proofs if "id" in proof.options]
    if len(set(ids)) != len(ids):
        raise ProofChainError("Two proofs have one identifier.")
    settled: set[str] = set()
    waiting = list(proofs)
    while waiting:
        ready = [proof for proof in waiting if settled.issuperset(proof.previous)]
        if not ready:
            raise ProofChainError("A proof builds on one that isn't there, or on itself.")
        settled.update(proof.options["id"] for proof in ready if "id" in proof.options)
        waiting = [proof for proof in waiting if proof not in ready]


def _verify_signature(document: Mapping[str, Any], proof: Proof, key: VerificationKey, contexts: Contexts) -> None:
    matching = [each for each in _listed(document["proof"]) if each.get("id") in proof.previous]
    unsecured = _unsecured(document, matching)
    if proof.suite.canonical == "jcs" and "@context" in proof.options:
        unsecured["@context"] = _check_prefix(document["@context"], proof.options["@context"])
    _check_signature(proof, key, hash_secured(unsecured, proof.options, proof.suite, key, contexts))


def _check_signature(proof: Proof, key: VerificationKey, data: bytes) -> None:
    try:
        verify_raw_signature(proof.signature, data, key)
    except InvalidSignatureError as error:
        raise ProofInvalidError("The proof isn't the key's over this document.") from error


def _check_prefix(context: Any, signed: Any) -> Any:
    if signed != context and _listed(context)[: len(_listed(signed))] != signed:
        raise ContextUnknownError("The document's contexts don't begin with the ones that were signed.")
    return signed


def _unsecured(document: Mapping[str, Any], matching: list[Any]) -> dict[str, Any]:
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    return unsecured | {"proof": matching} if matching else unsecured
