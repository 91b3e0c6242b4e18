"""Data Integrity proofs: made, read and verified, alone, in sets and in chains.

A verifier's order: the proofs' form, what each is for, its times, its challenge and domain, that those it builds on
are there, and last its key's signature over the document and the proof itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from service.credentials.canonical import canonicalize
from service.credentials.cryptosuites import CRYPTOSUITES, LEGACY_SUITES, Cryptosuite, hash_secured, name_contexts
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
from service.credentials.proof_values import ProofValue, protect, read_proof_value, write_proof_value
from service.credentials.rdf import Contexts, canonicalize_rdf
from service.credentials.sd_jwt_errors import AudienceMismatchError, NonceMismatchError

PROOF_TYPE = "DataIntegrityProof"
LEEWAY = timedelta(seconds=60)
MAX_PROOFS = 4  # each of them costs a canonical form of the whole document
_NO_CONTEXTS = Contexts({})
_VALUES = ("proofValue", "jws")


@dataclass(frozen=True, slots=True)
class Proof:
    """One well-formed proof of a supported cryptosuite; nothing in it is to be believed yet.

    Attributes:
        options: The proof without its value.
        suite: The cryptosuite that it names.
        value: Its signature.
        method: DID URL of the key.
        purpose: ``assertionMethod``, ``authentication`` or another.
        created_at: When it was made, if it says so.
        expires_at: When it ends, if it says so.
        previous: Identifiers of the proofs that it builds on.
    """

    options: Mapping[str, Any]
    suite: Cryptosuite
    value: ProofValue
    method: str
    purpose: str
    created_at: datetime | None
    expires_at: datetime | None
    previous: Sequence[str]


@dataclass(frozen=True, slots=True)
class Attestation:
    """The word of another implementation that the one proof of a document is right; kinds of keys differ.

    Attributes:
        digest: ``digest_secured`` of that document; it counts for no other.
    """

    digest: str


ProofKey = VerificationKey | Attestation


def digest_secured(document: Mapping[str, Any]) -> str:
    """Return ``sha256:<hex>`` of a document with its proofs, however its JSON is written."""
    return f"sha256:{sha256(canonicalize(document)).hexdigest()}"


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
    keys: Mapping[str, ProofKey],
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
        keys: By ``method``: keys that their controllers list for ``expected_purpose``; the caller looked them up. Or,
            where no such key can be had, an attestation of what ``check_signable`` let through.
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


def check_signable(document: Mapping[str, Any], contexts: Contexts) -> None:
    """Check that all of a document and of its one legacy proof is part of what is signed.

    For documents whose signature another implementation verifies, one that would overlook what has no meaning.

    Raises:
        ProofMalformedError: Not exactly one proof, of a legacy suite.
        VerificationError: Something would be lost; see ``canonicalize_rdf``.
    """
    check_shape(document)
    contexts.check(document)
    proofs = read_proofs(document)
    if len(proofs) != 1 or not proofs[0].suite.is_legacy:
        raise ProofMalformedError("The document has several proofs, or one of another kind.")
    unsecured = _unsecured(document, [])
    canonicalize_rdf(name_contexts(proofs[0].options, unsecured, proofs[0].suite), contexts)
    canonicalize_rdf(unsecured, contexts)


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
        options: ``cryptosuite`` or the ``type`` of a legacy suite, ``verificationMethod``, ``proofPurpose`` and what
            else the proof shall say.
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
    suite = _find_suite(proof)
    if suite.canonical == "jcs":
        proof["@context"] = document["@context"]
    previous = _texts(proof.get("previousProof"))
    matching = [each for each in present if each.get("id") in previous]
    if len(matching) != len(previous):
        raise ProofChainError("The proof builds on one that isn't there.")
    protected = protect(key.alg, suite)
    hashed = hash_secured(_unsecured(document, matching), proof, suite, key, contexts)
    proof[suite.value_name] = write_proof_value(sign(_write_input(protected, hashed)), protected)
    return {**document, "proof": [*present, proof] if present else proof}


def _read_proof(proof: Any) -> Proof:
    if not isinstance(proof, dict):
        raise ProofMalformedError("The document's proof isn't an object.")
    suite = _find_suite(proof)
    for name in ("verificationMethod", "proofPurpose"):
        if not isinstance(proof.get(name), str):
            raise ProofMalformedError(f"The proof's {name} is missing or isn't text.")
    for name in ("id", "challenge", "nonce"):
        if not isinstance(proof.get(name, ""), str):
            raise ProofMalformedError(f"The proof's {name} isn't text.")
    _texts(proof.get("domain"))
    return Proof(
        options={name: value for name, value in proof.items() if name not in _VALUES},
        suite=suite,
        value=read_proof_value(proof, suite),
        method=proof["verificationMethod"],
        purpose=proof["proofPurpose"],
        created_at=_read_time(proof, "created"),
        expires_at=_read_time(proof, "expires"),
        previous=_texts(proof.get("previousProof")),
    )


def _find_suite(proof: Mapping[str, Any]) -> Cryptosuite:
    kind, name = proof.get("type"), proof.get("cryptosuite")
    if isinstance(kind, str) and kind in LEGACY_SUITES and name is None:
        return LEGACY_SUITES[kind]
    if kind != PROOF_TYPE:
        raise ProofMalformedError("The proof isn't a DataIntegrityProof.")
    if not isinstance(name, str):
        raise ProofMalformedError("The proof's cryptosuite is missing or isn't text.")
    if name not in CRYPTOSUITES:
        raise CryptosuiteUnsupportedError("The proof's cryptosuite isn't supported.")
    return CRYPTOSUITES[name]


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


def _verify_signature(document: Mapping[str, Any], proof: Proof, key: ProofKey, contexts: Contexts) -> None:
    if isinstance(key, Attestation):
        _check_attested(document, key)
        return
    matching = [each for each in _listed(document["proof"]) if each.get("id") in proof.previous]
    unsecured = _unsecured(document, matching)
    if proof.suite.canonical == "jcs" and "@context" in proof.options:
        unsecured["@context"] = _check_prefix(document["@context"], proof.options["@context"])
    _check_signature(proof, key, hash_secured(unsecured, proof.options, proof.suite, key, contexts))


def _check_attested(document: Mapping[str, Any], attestation: Attestation) -> None:
    if digest_secured(document) != attestation.digest:
        raise ProofInvalidError("The proof was found right over another document.")


def _check_signature(proof: Proof, key: VerificationKey, data: bytes) -> None:
    if proof.value.alg not in (None, key.alg):
        raise CryptosuiteUnsupportedError("The proof's key is of another algorithm than the proof names.")
    try:
        verify_raw_signature(proof.value.signature, _write_input(proof.value.protected, data), key)
    except InvalidSignatureError as error:
        raise ProofInvalidError("The proof isn't the key's over this document.") from error


def _write_input(protected: str, hashed: bytes) -> bytes:
    """Return what the key signs. Source: RFC 7797, section 5.2."""
    return f"{protected}.".encode() + hashed if protected else hashed


def _check_prefix(context: Any, signed: Any) -> Any:
    if signed != context and _listed(context)[: len(_listed(signed))] != signed:
        raise ContextUnknownError("The document's contexts don't begin with the ones that were signed.")
    return signed


def _unsecured(document: Mapping[str, Any], matching: list[Any]) -> dict[str, Any]:
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    return unsecured | {"proof": matching} if matching else unsecured
