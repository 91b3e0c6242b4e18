"""The published test vectors of the EdDSA and ECDSA cryptosuites."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.credentials.cryptosuites import hash_secured
from service.credentials.data_integrity import add_proof, read_proofs, verify_proofs
from service.credentials.jose import VerificationKey, load_key
from service.credentials.linked_data_errors import ProofInvalidError
from service.credentials.multikey import decode_base58, decode_multikey
from service.linked_data.bundled_contexts import load_example_contexts

VECTORS = json.loads((Path(__file__).parent / "data_integrity.json").read_text())
CONTEXTS = load_example_contexts()
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _key(method: str) -> VerificationKey:
    return load_key(decode_multikey(method.partition("#")[2]))


def _verify(document: dict[str, Any]) -> None:
    proofs = read_proofs(document)
    keys = {proof.method: _key(proof.method) for proof in proofs}
    verify_proofs(document, proofs, keys, CONTEXTS, expected_purpose="assertionMethod", now=NOW)


def _sign(method: str) -> Callable[[bytes], bytes]:
    secret = decode_base58(VECTORS["keys"][method.partition("#")[2]][1:])
    return Ed25519PrivateKey.from_private_bytes(secret[2:]).sign


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["source"])
def test_published_proof_verifies_and_fails_for_another_document(vector: dict[str, Any]) -> None:
    _verify(vector["signed"])
    with pytest.raises(ProofInvalidError):
        _verify({**vector["signed"], "validFrom": "2023-01-01T00:00:01Z"})


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["source"])
def test_what_is_signed_is_what_was_published(vector: dict[str, Any]) -> None:
    (proof,) = read_proofs(vector["signed"])
    unsecured = {name: value for name, value in vector["signed"].items() if name != "proof"}
    hashed = hash_secured(unsecured, proof.options, proof.suite, _key(proof.method), CONTEXTS)
    assert hashed.hex() == vector["hash_data"]


@pytest.mark.parametrize(
    "vector", [*VECTORS["vectors"][:2], VECTORS["vectors"][-1]], ids=lambda vector: vector["source"]
)
def test_our_eddsa_proof_is_the_published_one(vector: dict[str, Any]) -> None:
    published = vector["signed"]["proof"]
    unsecured = {name: value for name, value in vector["signed"].items() if name != "proof"}
    options = {name: value for name, value in published.items() if name not in {"proofValue", "@context"}}
    method = published["verificationMethod"]
    assert add_proof(unsecured, options, _key(method), _sign(method), CONTEXTS)["proof"] == published


@pytest.mark.parametrize("document", VECTORS["chains"], ids=lambda document: f"{len(document['proof'])} proofs")
def test_published_sets_and_chains_verify(document: dict[str, Any]) -> None:
    _verify(document)


def test_our_proof_chain_is_the_published_one() -> None:
    published = VECTORS["chains"][3]
    document = {name: value for name, value in published.items() if name != "proof"}
    for proof in published["proof"]:
        options = {name: value for name, value in proof.items() if name != "proofValue"}
        method = proof["verificationMethod"]
        document = add_proof(document, options, _key(method), _sign(method), CONTEXTS)
    assert document == published


def test_a_chain_holds_its_earlier_proofs() -> None:
    published = VECTORS["chains"][3]
    forged = json.loads(json.dumps(published))
    forged["proof"][2]["created"] = "2023-02-26T22:06:39Z"
    with pytest.raises(ProofInvalidError):
        _verify(forged)
