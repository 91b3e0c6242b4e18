"""Credentials and presentations with Data Integrity proofs: ours for others, others' for us."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.credentials.credential import Expected
from service.credentials.data_integrity import add_proof
from service.credentials.did import did_key_from_jwk, find_holder_key
from service.credentials.jose import SignFunction, VerificationKey, b64url_encode, load_key
from service.credentials.ldp_vc import CLAIMS_CONTEXT, read_ldp, verify_ldp_vc
from service.credentials.ldp_vp import find_presenter, verify_ldp_vp
from service.errors import VerificationError
from service.linked_data.bundled_contexts import load_contexts
from tests.interop.support import Node
from tests.unit.sd_jwt_support import new_key_pair

pytestmark = pytest.mark.asyncio(loop_scope="session")
V2 = "https://www.w3.org/ns/credentials/v2"
CHALLENGE, DOMAIN = "n-0S6_WzA2Mj", "https://venue.example"
# Suite, curve: P-384 hashes more.
CASES = [
    ("eddsa-rdfc-2022", "Ed25519"),
    ("eddsa-jcs-2022", "Ed25519"),
    ("ecdsa-rdfc-2019", "P-256"),
    ("ecdsa-rdfc-2019", "P-384"),
    ("ecdsa-jcs-2019", "P-256"),
]


def _credential(**more: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    subject = {"given_name": "Čeněk", "address": {"locality": "Brno"}, "age_over_18": True, "tax_years": [2024, 2025]}
    return {
        "@context": [V2, CLAIMS_CONTEXT],
        "type": ["VerifiableCredential", "KycCredential"],
        "validFrom": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "validUntil": (now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "name": {"@value": "identity", "@language": "en", "@direction": "ltr"},
        "credentialSubject": subject,
        **more,
    }


class Party:
    """One of ours, with a did:key."""

    def __init__(self, curve: str) -> None:
        self.key, self._sign = _new_key(curve)
        self.did = did_key_from_jwk(self.key.jwk)

    def secure(self, document: dict[str, Any], suite: str, purpose: str, **options: Any) -> dict[str, Any]:
        method = f"{self.did}#{self.did.removeprefix('did:key:')}"
        options |= {"cryptosuite": suite, "verificationMethod": method, "proofPurpose": purpose}
        options["created"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return add_proof(document, options, self.key, self._sign, load_contexts())


def _new_key(curve: str) -> tuple[VerificationKey, SignFunction]:
    if curve == "P-256":
        pair = new_key_pair()
        return pair.key, pair.sign
    private = Ed25519PrivateKey.generate()
    x = b64url_encode(private.public_key().public_bytes_raw())
    return load_key({"kty": "OKP", "crv": "Ed25519", "x": x}), private.sign


def _verify(document: dict[str, Any], *, presented: bool) -> dict[str, Any]:
    (read,) = read_ldp(document)
    key = find_holder_key(read.read_issuer().issuer)
    assert key is not None
    now = datetime.now(UTC)
    assert (read.presentation is not None) is presented
    if read.presentation is not None:
        presenter = find_presenter(read, read.presentation)
        verify_ldp_vp(read.presentation, presenter, Expected(CHALLENGE, DOMAIN), load_contexts(), now=now)
    return dict(verify_ldp_vc(read, key, load_contexts(), now=now).claims)


@pytest.mark.parametrize(("suite", "curve"), CASES)
async def test_what_others_make_is_verified_here(node: Node, suite: str, curve: str) -> None:
    asked = _credential()
    made = await node.run(
        "linked_data.mjs", "issue", suite=suite, curve=curve, credential=asked, challenge=CHALLENGE, domain=DOMAIN
    )
    assert made["credential"]["proof"]["cryptosuite"] == suite
    assert _verify(made["credential"], presented=False) == asked["credentialSubject"]
    assert _verify(made["presentation"], presented=True) == asked["credentialSubject"]
    for changed in (
        {**made["credential"], "validFrom": "2026-01-01T00:00:00Z"},
        {**made["credential"], "credentialSubject": made["credential"]["credentialSubject"] | {"given_name": "Other"}},
    ):
        with pytest.raises(VerificationError):
            _verify(changed, presented=False)


@pytest.mark.parametrize(("suite", "curve"), [case for case in CASES if case[1] != "P-384"])
async def test_what_is_made_here_is_verified_by_others(node: Node, suite: str, curve: str) -> None:
    issuer, holder = Party(curve), Party(curve)
    subject = {"id": holder.did, **_credential()["credentialSubject"]}
    held = issuer.secure(_credential(issuer=issuer.did, credentialSubject=subject), suite, "assertionMethod")
    assert await node.run("linked_data.mjs", "verify", suite=suite, credential=held) == {"valid": True, "error": None}
    presentation = {
        "@context": [V2],
        "type": ["VerifiablePresentation"],
        "holder": holder.did,
        "verifiableCredential": [held],
    }
    shown = holder.secure(presentation, suite, "authentication", challenge=CHALLENGE, domain=DOMAIN)
    asked = {"suite": suite, "presentation": shown, "challenge": CHALLENGE, "domain": DOMAIN}
    assert await node.run("linked_data.mjs", "verify", **asked) == {"valid": True, "error": None}
    assert not (await node.run("linked_data.mjs", "verify", **{**asked, "challenge": "other"}))["valid"]
    forged = {**held, "validFrom": "2026-01-01T00:00:00Z"}
    assert not (await node.run("linked_data.mjs", "verify", suite=suite, credential=forged))["valid"]
