"""Data Integrity proofs: what they cover, and every way in which one is none."""

from datetime import timedelta
from typing import Any

import pytest

from service.credentials.data_integrity import add_proof, read_proofs, verify_proofs
from service.credentials.linked_data_errors import (
    ContextUnknownError,
    CryptosuiteUnsupportedError,
    DataLossError,
    ProofChainError,
    ProofExpiredError,
    ProofInvalidError,
    ProofMalformedError,
    ProofPurposeError,
)
from service.credentials.sd_jwt_errors import AudienceMismatchError, NonceMismatchError
from service.errors import VerificationError
from service.linked_data.bundled_contexts import load_example_contexts
from tests.unit.linked_data_support import EXAMPLES, NOW, V2, make_credential, make_signer

CONTEXTS = load_example_contexts()
SUITES = {"eddsa-rdfc-2022": "EdDSA", "eddsa-jcs-2022": "EdDSA", "ecdsa-rdfc-2019": "ES256", "ecdsa-jcs-2019": "ES256"}


def _sign(document: dict[str, Any], suite: str = "eddsa-rdfc-2022", **options: Any) -> dict[str, Any]:
    method, key, sign = make_signer(SUITES[suite])
    given = {"cryptosuite": suite, "verificationMethod": method, "proofPurpose": "assertionMethod", **options}
    return add_proof(document, given, key, sign, CONTEXTS)


def _verify(document: dict[str, Any], **expected: Any) -> None:
    proofs = read_proofs(document)
    keys = {method: key for method, key, _ in map(make_signer, ("EdDSA", "ES256"))}
    expected = {"expected_purpose": "assertionMethod", "now": NOW, **expected}
    verify_proofs(document, proofs, keys, CONTEXTS, **expected)


@pytest.mark.parametrize("suite", SUITES)
def test_what_we_sign_verifies_and_nothing_else_does(suite: str) -> None:
    signed = _sign(make_credential(), suite, created="2026-11-23T14:00:00Z")
    _verify(signed)
    for changed in (
        {**signed, "validFrom": "2026-01-02T00:00:00Z"},
        {**signed, "credentialSubject": {**signed["credentialSubject"], "more": "1"}},
        {**signed, "type": ["VerifiableCredential", "Membership", "Other"]},
        {**signed, "proof": {**signed["proof"], "created": "2026-11-23T14:00:01Z"}},
        {**signed, "proof": {**signed["proof"], "nonce": "added"}},
    ):
        with pytest.raises(ProofInvalidError):
            _verify(changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "Ed25519Signature2020"},
        {"type": None},
        {"cryptosuite": None},
        {"verificationMethod": {"id": "did:example:a#b"}},
        {"proofPurpose": 7},
        {"proofValue": None},
        {"proofValue": "uAAAA"},
        {"proofValue": "z0OIl"},
        {"proofValue": "z" * 200},
        {"created": "yesterday"},
        {"expires": "2026-13-01T00:00:00Z"},
        {"challenge": 1},
        {"domain": [1]},
        {"previousProof": {"id": "urn:x:y"}},
    ],
    ids=str,
)
def test_malformed_proofs_are_refused(changed: dict[str, Any]) -> None:
    signed = _sign(make_credential())
    with pytest.raises(ProofMalformedError):
        _verify({**signed, "proof": {**signed["proof"], **changed}})


@pytest.mark.parametrize("proof", [None, [], "text", [{}], ["text"]])
def test_a_document_without_a_proof_is_refused(proof: Any) -> None:
    with pytest.raises(ProofMalformedError):
        read_proofs({**make_credential(), "proof": proof})


def test_at_most_four_proofs() -> None:
    signed = _sign(make_credential())
    with pytest.raises(ProofMalformedError):
        read_proofs({**signed, "proof": [signed["proof"]] * 5})


def test_suites_take_keys_of_their_kind_and_no_others_are_known() -> None:
    method, key, sign = make_signer("ES256")
    options = {"cryptosuite": "eddsa-jcs-2022", "verificationMethod": method, "proofPurpose": "assertionMethod"}
    with pytest.raises(CryptosuiteUnsupportedError):
        add_proof(make_credential(), options, key, sign, CONTEXTS)
    signed = _sign(make_credential())
    with pytest.raises(CryptosuiteUnsupportedError):
        _verify({**signed, "proof": {**signed["proof"], "cryptosuite": "bbs-2023"}})


def test_another_signature_format_of_the_same_key_is_refused() -> None:
    signed = _sign(make_credential())
    with pytest.raises(ProofInvalidError):
        _verify({**signed, "proof": {**signed["proof"], "proofValue": "z3mJr"}})


def test_a_proof_serves_one_purpose() -> None:
    with pytest.raises(ProofPurposeError):
        _verify(_sign(make_credential(), proofPurpose="authentication"))
    _verify(_sign(make_credential(), proofPurpose="authentication"), expected_purpose="authentication")


@pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
def test_times_of_the_proof_count(suite: str) -> None:
    _verify(_sign(make_credential(), suite, created="2026-11-23T15:00:30", expires="2026-11-23T15:00:00Z"))
    for times in ({"created": "2026-11-23T15:02:00Z"}, {"expires": "2026-11-23T14:58:00Z"}):
        with pytest.raises(ProofExpiredError):
            _verify(_sign(make_credential(), suite, **times))
    with pytest.raises(ProofExpiredError):
        _verify(_sign(make_credential(), suite, expires="2026-11-24T00:00:00Z"), now=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, NonceMismatchError),
        ({"challenge": "other", "domain": "us"}, NonceMismatchError),
        ({"challenge": "n-1"}, AudienceMismatchError),
        ({"challenge": "n-1", "domain": "other"}, AudienceMismatchError),
        ({"challenge": "n-1", "domain": ["us", "other"]}, AudienceMismatchError),
    ],
)
def test_challenge_and_domain_are_ours(options: dict[str, Any], error: type[VerificationError]) -> None:
    expected = {"expected_challenge": "n-1", "expected_domain": "us"}
    _verify(_sign(make_credential(), challenge="n-1", domain="us"), **expected)
    _verify(_sign(make_credential(), challenge="n-1", domain=["us"]), **expected)
    with pytest.raises(error):
        _verify(_sign(make_credential(), **options), **expected)


def test_sets_and_chains_hold_together() -> None:
    first = _sign(make_credential(), id="urn:uuid:1")
    both = _sign(first, "ecdsa-rdfc-2019", previousProof="urn:uuid:1")
    _verify(both)
    _verify(_sign(first, "ecdsa-jcs-2019"))
    with pytest.raises(ProofChainError):  # the first proof is gone
        _verify({**both, "proof": both["proof"][1]})
    with pytest.raises(ProofChainError):
        _sign(first, previousProof=["urn:uuid:2"])
    other = _sign(make_credential(), id="urn:uuid:1", created="2026-11-23T14:00:00Z")
    with pytest.raises(ProofInvalidError):  # an authentic proof, but not the one that was built on
        _verify({**both, "proof": [other["proof"], both["proof"][1]]})
    with pytest.raises(ProofInvalidError):  # the second is authentic, the first is not
        _verify({**both, "proof": [{**first["proof"], "proofValue": both["proof"][1]["proofValue"]}, both["proof"][1]]})


def test_circles_and_namesakes_are_refused() -> None:
    first, second = (_sign(make_credential(), id=f"urn:uuid:{number}")["proof"] for number in (1, 2))
    circle = [{**first, "previousProof": "urn:uuid:2"}, {**second, "previousProof": "urn:uuid:1"}]
    for proofs in (circle, [first, first], [{**first, "previousProof": "urn:uuid:1"}]):
        with pytest.raises(ProofChainError):
            _verify({**make_credential(), "proof": proofs})


def test_contexts_that_were_added_after_a_jcs_proof_are_not_signed() -> None:
    signed = _sign(make_credential(), "eddsa-jcs-2022")
    added = {**signed, "@context": [*signed["@context"], {"more": "urn:x:y"}]}
    _verify(added)  # Source: VC DI EdDSA 1.0, section 3.3.2: what was signed is what came first
    with pytest.raises(ContextUnknownError):
        _verify({**signed, "@context": [V2]})
    with pytest.raises(ContextUnknownError):
        _verify({**signed, "@context": [EXAMPLES, V2]})


def test_nothing_is_signed_that_has_no_meaning() -> None:
    with pytest.raises(DataLossError):
        _sign(make_credential(**{"@context": [V2]}))
