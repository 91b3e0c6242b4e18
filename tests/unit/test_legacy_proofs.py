"""Proofs of version 1.1's time: ours and didkit's are the same, and what didkit would let through is refused."""

import importlib.util
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from service.credentials.credential import Expected, VerifiedCredential
from service.credentials.data_integrity import Attestation, add_proof, check_signable, digest_secured, read_proofs
from service.credentials.did import did_jwk_from_jwk, find_holder_key
from service.credentials.encoding import b64url_encode
from service.credentials.ldp_vc import CLAIMS_CONTEXT_1, read_ldp, verify_ldp_vc
from service.credentials.ldp_vp import find_presenter, verify_ldp_vp
from service.errors import VerificationError
from service.linked_data import LinkedDataRefusedError, LinkedDataWorker
from service.linked_data.bundled_contexts import load_contexts
from tests.unit.didkit_support import issue_by_didkit
from tests.unit.linked_data_support import NOW, make_signer
from tests.unit.sd_jwt_support import new_key_pair

needs_didkit = pytest.mark.skipif(
    importlib.util.find_spec("didkit") is None, reason="didkit has no build for Python 3.13 and later"
)
CONTEXTS = load_contexts()
V1 = "https://www.w3.org/2018/credentials/v1"
JWS = "https://w3id.org/security/suites/jws-2020/v1"
ED25519 = "https://w3id.org/security/suites/ed25519-2020/v1"
RECOVERY = "https://w3id.org/security/suites/secp256k1recovery-2020/v2"
SUITES = {"Ed25519Signature2018": [], "Ed25519Signature2020": [ED25519], "JsonWebSignature2020": [JWS]}
CASES = [*((suite, "EdDSA") for suite in SUITES), ("JsonWebSignature2020", "ES256")]
SUBJECT = {
    "id": did_jwk_from_jwk(new_key_pair().jwk),
    "sub": "subject-one",
    "given_name": 'Zoë "the \\ first"',
    "age_over_18": True,
    "tax_years": [2024, 2025],
    "address": {"locality": "Brno", "lines": ["b", "a"]},
}
ENTRY = {
    "id": "https://issuer.example/lists/1#5",
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "5",
    "statusListCredential": "https://issuer.example/lists/1",
}


def make_document(*contexts: str, issuer: str = "", **changes: Any) -> dict[str, Any]:
    members = {
        "@context": [V1, CLAIMS_CONTEXT_1, *contexts],
        "type": ["VerifiableCredential", "KycCredential"],
        "issuer": issuer,
        "issuanceDate": "2026-01-01T00:00:00Z",
        "expirationDate": "2027-01-01T00:00:00Z",
        "credentialSubject": SUBJECT,
        "credentialStatus": ENTRY,
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def sign(suite: str, alg: str = "EdDSA", **changes: Any) -> dict[str, Any]:
    method, key, sign_bytes = make_signer(alg)
    options = {"type": suite, "verificationMethod": method, "proofPurpose": "assertionMethod"}
    document = make_document(*SUITES[suite], issuer=method.partition("#")[0], **changes)
    return add_proof(document, options | {"created": "2026-11-23T14:00:00Z"}, key, sign_bytes, CONTEXTS)


def verify(document: dict[str, Any]) -> VerifiedCredential:
    (read,) = read_ldp(document)
    key = find_holder_key(read.read_issuer().issuer)
    assert key is not None
    return verify_ldp_vc(read, key, CONTEXTS, now=NOW)


@pytest.fixture
async def didkit() -> AsyncIterator[LinkedDataWorker]:
    made = LinkedDataWorker()
    yield made
    await made.close()


def new_secp256k1_key() -> dict[str, str]:
    private = ec.generate_private_key(ec.SECP256K1()).private_numbers()
    numbers = {"x": private.public_numbers.x, "y": private.public_numbers.y, "d": private.private_value}
    members = {name: b64url_encode(each.to_bytes(32)) for name, each in numbers.items()}
    return {"kty": "EC", "crv": "secp256k1", **members}


@needs_didkit
@pytest.mark.parametrize(("suite", "alg"), CASES)
async def test_didkit_finds_our_proofs_right(didkit: LinkedDataWorker, suite: str, alg: str) -> None:
    signed = sign(suite, alg)
    assert verify(signed).claims == {name: value for name, value in SUBJECT.items() if name != "id"}
    await didkit.verify_credential(signed)
    changed = signed | {"credentialSubject": SUBJECT | {"given_name": "Eve"}}
    with pytest.raises(VerificationError):
        verify(changed)
    with pytest.raises(LinkedDataRefusedError):
        await didkit.verify_credential(changed)


@needs_didkit
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("suite", SUITES)
def test_proofs_of_didkit_are_right_here(suite: str, named: bool) -> None:
    """Where a document does not name the suite's context, didkit names it in the proof."""
    plain = {"credentialSubject": {"id": SUBJECT["id"]}, "credentialStatus": None, "type": ["VerifiableCredential"]}
    document = make_document(**plain) | {"@context": [V1, *(SUITES[suite] if named else [])]}
    made = issue_by_didkit(document, type=suite, proofPurpose="assertionMethod")
    assert verify(made).issuer == made["issuer"]
    with pytest.raises(VerificationError):
        verify(made | {"expirationDate": "2028-01-01T00:00:00Z"})


@needs_didkit
@pytest.mark.parametrize("suite", ["Ed25519Signature2018", "JsonWebSignature2020"])
async def test_presentations_are_the_same(didkit: LinkedDataWorker, suite: str) -> None:
    method, key, sign_bytes = make_signer("ES256" if suite == "JsonWebSignature2020" else "EdDSA")
    did = method.partition("#")[0]
    held = sign("Ed25519Signature2018", credentialSubject=SUBJECT | {"id": did})
    options = {"type": suite, "verificationMethod": method, "proofPurpose": "authentication"}
    options |= {"created": "2026-11-23T15:00:00Z", "challenge": "n", "domain": "https://venue.example"}
    document = {
        "@context": [V1, *SUITES[suite]],
        "type": ["VerifiablePresentation"],
        "holder": did,
        "verifiableCredential": [held],
    }
    presented = add_proof(document, options, key, sign_bytes, CONTEXTS)
    await didkit.verify_presentation(presented, challenge="n", domain="https://venue.example")
    for challenge, domain in (("other", "https://venue.example"), ("n", "https://other.example")):
        with pytest.raises(LinkedDataRefusedError):
            await didkit.verify_presentation(presented, challenge=challenge, domain=domain)
    (read,) = read_ldp(presented)
    assert read.presentation is not None
    presenter = find_presenter(read, read.presentation)
    verify_ldp_vp(read.presentation, presenter, Expected("n", "https://venue.example"), CONTEXTS, now=NOW)


@needs_didkit
@pytest.mark.parametrize("method", ["ethr", "pkh:eip155"])
async def test_accounts_sign_what_is_attested_for_one_document(didkit: LinkedDataWorker, method: str) -> None:
    document = make_document(RECOVERY, credentialSubject={"id": SUBJECT["id"]}, credentialStatus=None)
    document |= {"@context": [V1, RECOVERY], "type": ["VerifiableCredential"]}
    made = issue_by_didkit(
        document,
        method=method,
        key=new_secp256k1_key(),
        type="EcdsaSecp256k1RecoverySignature2020",
        proofPurpose="assertionMethod",
    )
    check_signable(made, CONTEXTS)
    await didkit.verify_credential(made)
    (read,) = read_ldp(made)
    found = verify_ldp_vc(read, Attestation(digest_secured(made)), CONTEXTS, now=NOW)
    assert found.issuer.startswith(f"did:{method}:")
    changed = made | {"expirationDate": "2028-01-01T00:00:00Z"}
    (read,) = read_ldp(changed)
    with pytest.raises(VerificationError):
        verify_ldp_vc(read, Attestation(digest_secured(made)), CONTEXTS, now=NOW)
    with pytest.raises(LinkedDataRefusedError):
        await didkit.verify_credential(changed)
    with pytest.raises(VerificationError):
        check_signable(made | {"type": ["VerifiableCredential", "Undefined"]}, CONTEXTS)
    await didkit.verify_credential(made | {"type": ["VerifiableCredential", "Undefined"]})  # which is why


@pytest.mark.parametrize(
    "changes",
    [
        {"proof": "twice"},
        {"@context": ["https://www.w3.org/ns/credentials/v2", CLAIMS_CONTEXT_1]},
        {"cryptosuite": "eddsa-rdfc-2022"},
        {"proofValue": "z1"},
        {"jws": "eyJhbGciOiJub25lIiwiYjY0IjpmYWxzZSwiY3JpdCI6WyJiNjQiXX0..AA"},
        {"jws": "eyJhbGciOiJFZERTQSJ9..AA"},
        {"jws": "AA.AA.AA"},
        {"jws": None},
    ],
    ids=str,
)
def test_a_proof_of_this_kind_stands_alone_in_version_1(changes: dict[str, Any]) -> None:
    signed = sign("JsonWebSignature2020")
    verify(signed)
    if changes == {"proof": "twice"}:
        changed = signed | {"proof": [signed["proof"], signed["proof"]]}
    elif "@context" in changes:
        changed = signed | changes
    else:
        changed = signed | {"proof": {k: v for k, v in (signed["proof"] | changes).items() if v is not None}}
    with pytest.raises(VerificationError):
        verify(changed)


def test_the_hash_that_is_signed_names_its_algorithm() -> None:
    """A header of another algorithm than the key's is no way to have the same bytes mean another thing."""
    signed = sign("JsonWebSignature2020", "ES256")
    (proof,) = read_proofs(signed)
    assert (proof.value.alg, len(proof.value.signature)) == ("ES256", 64)
    other = sign("JsonWebSignature2020")["proof"]["jws"].split("..")[0]
    moved = signed["proof"] | {"jws": f"{other}..{signed['proof']['jws'].split('..')[1]}"}
    with pytest.raises(VerificationError):
        verify(signed | {"proof": moved})
