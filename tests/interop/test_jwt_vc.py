"""JWT VCs both ways with did-jwt-vc: what one side signs, the other verifies."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from service.credentials.credential import StatusReference
from service.credentials.credential_types import type_named
from service.credentials.did import did_jwk_from_jwk
from service.credentials.jose import sign_jws
from service.credentials.jwt_vc_issuing import CredentialTerms, build_jwt_vc_claims
from service.credentials.jwt_vp import present_jwt_vc
from tests.interop.claims import KYC
from tests.interop.support import Deployment, Node
from tests.unit.sd_jwt_support import KeyPair, new_key_pair

pytestmark = pytest.mark.asyncio(loop_scope="session")
NONCE, AUDIENCE = "n-0S6_WzA2Mj", "https://venue.example"
ISSUER, HOLDER = new_key_pair(), new_key_pair()


def party(keys: KeyPair) -> dict[str, Any]:
    return {"did": did_jwk_from_jwk(keys.jwk), "key": keys.private_jwk}


def credential(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential", "KycCredential"],
        "issuer": {"id": did_jwk_from_jwk(ISSUER.jwk)},
        "issuanceDate": (now - timedelta(seconds=5)).isoformat().replace("+00:00", "Z"),
        "expirationDate": (now + timedelta(days=1)).isoformat().replace("+00:00", "Z"),
        "credentialSubject": {"id": did_jwk_from_jwk(HOLDER.jwk), **KYC},
    } | changes


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def trusting(deployment: Deployment) -> Deployment:
    """The deployment, whose platform trusts the key that did-jwt-vc signs with."""
    terms = {"issuer": did_jwk_from_jwk(ISSUER.jwk), "credential_types": ["kyc"], "jurisdictions": []}
    await deployment.platform.call("PUT", "/v1/trusted-issuers/did-jwt-vc", terms)
    return deployment


@pytest.mark.parametrize("keep", [False, True])
async def test_their_credential_and_presentation_verify_here(trusting: Deployment, node: Node, keep: bool) -> None:
    made = await node.run("jwt_vc.mjs", "issue", issuer=party(ISSUER), credential=credential(), keep=keep)
    verdict = await trusting.platform.post("/v1/verify", {"credential": made["jwt"]})
    assert (verdict["outcome"], verdict["format"]) == ("verified", "jwt_vc_json")
    assert verdict["claims"].items() >= KYC.items()
    values = {"holder": party(HOLDER), "credentials": [made["jwt"]], "nonce": NONCE, "audience": AUDIENCE}
    shown = (await node.run("jwt_vc.mjs", "present", **values))["jwt"]
    body = {"presentation": shown, "expected": {"nonce": NONCE, "audience": AUDIENCE}}
    assert (await trusting.platform.post("/v1/verify", body))["outcome"] == "verified"
    body["expected"] = {"nonce": "other", "audience": AUDIENCE}
    assert (await trusting.platform.post("/v1/verify", body))["outcome"] == "rejected"


async def test_their_expired_credential_does_not(trusting: Deployment, node: Node) -> None:
    old = credential(issuanceDate="2020-01-01T00:00:00Z", expirationDate="2021-01-01T00:00:00Z")
    made = await node.run("jwt_vc.mjs", "issue", issuer=party(ISSUER), credential=old)
    assert (await trusting.platform.post("/v1/verify", {"credential": made["jwt"]}))["status"] == "expired"


async def test_our_credential_and_presentation_verify_there(node: Node) -> None:
    now, issuer = datetime.now(UTC).replace(microsecond=0), party(ISSUER)
    claims = build_jwt_vc_claims(
        CredentialTerms(
            type_named("kyc"),
            KYC,
            issuer=issuer["did"],
            holder_jwk=HOLDER.jwk,
            issued_at=now - timedelta(seconds=5),
            expires_at=now + timedelta(days=1),
            status=StatusReference("https://issuer.example/status-lists/1", 0),
        )
    )
    header = {"alg": "ES256", "typ": "JWT", "kid": f"{issuer['did']}#0"}
    compact = sign_jws(header, claims, ISSUER.sign)
    found = await node.run("jwt_vc.mjs", "check", jwt=compact)
    assert found["valid"], found
    assert found["credential"]["credentialSubject"].items() >= KYC.items()
    shown = present_jwt_vc(compact, audience=AUDIENCE, nonce=NONCE, issued_at=now, sign=HOLDER.sign)
    found = await node.run("jwt_vc.mjs", "checkPresentation", jwt=shown, nonce=NONCE, audience=AUDIENCE)
    assert found["valid"], found
    assert found["holder"] == did_jwk_from_jwk(HOLDER.jwk)
    refused = await node.run("jwt_vc.mjs", "checkPresentation", jwt=shown, nonce="other", audience=AUDIENCE)
    assert not refused["valid"]
