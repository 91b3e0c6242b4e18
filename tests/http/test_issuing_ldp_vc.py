"""``<name>-di``: credentials with Data Integrity proofs over OpenID4VCI, from the offer to the verdict."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlmodel import select

from service.credentials.data_integrity import digest_secured
from service.credentials.did import did_jwk_from_jwk
from service.storage.tables import CredentialCopy
from tests.deployment import Deployment, Member
from tests.issuing_support import KYC_CLAIMS, Wallet, add_issuer, make_offer
from tests.verifying_support import Platform, failed

QUALIFIED = {
    "jurisdiction": "US",
    "category": "us.ai.income",
    "method": "third_party",
    "attester_class": "us_cpa",
    "steps_completed_on": "2026-11-01",
}
DID = "did:web:localhost%3A8000:issuers:kyc"
CONTEXTS_PAGE = Path(__file__).parents[2] / "service" / "linked_data" / "contexts" / "README.md"
CONTEXTS = ["https://www.w3.org/ns/credentials/v2", "urn:goodstanding:context:1"]


@pytest.fixture
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


@pytest.fixture
def wallet(sqlite_deployment: Deployment, member: Member) -> Wallet:
    return Wallet(sqlite_deployment, member)


async def issue(wallet: Wallet, name: str = "kyc-di", *, copies: int = 1, **changes: Any) -> list[dict[str, Any]]:
    made = await make_offer(wallet.deployment, wallet.member, credential_configuration_id=name, **changes)
    return list_credentials(await wallet.redeem(made, copies=copies))


def list_credentials(answer: httpx2.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [entry["credential"] for entry in answer.json()["credentials"]]


async def test_copies_say_what_was_offered_each_to_its_own_key(wallet: Wallet) -> None:
    copies = await issue(wallet, copies=3)
    assert [copy["credentialSubject"]["id"] for copy in copies] == [did_jwk_from_jwk(key.jwk) for key in wallet.keys]
    for copy in copies:
        subject = copy["credentialSubject"]
        assert {name: subject[name] for name in KYC_CLAIMS} == KYC_CLAIMS
        assert subject["sub"] == copies[0]["credentialSubject"]["sub"]
        assert subject["sub"].startswith("urn:goodstanding:subject:")
        assert (copy["issuer"], copy["type"]) == (DID, ["VerifiableCredential", "KycCredential"])
        assert (copy["validFrom"], copy["validUntil"]) == ("2026-11-23T00:00:00Z", "2027-11-23T00:00:00Z")
        assert copy["proof"]["cryptosuite"] == "ecdsa-rdfc-2019"
        assert copy["proof"]["verificationMethod"].startswith(f"{DID}#")
        assert copy["proof"]["created"] == copy["validFrom"]  # as coarse: the copies of many people look alike
    assert len({copy["credentialStatus"][0]["statusListIndex"] for copy in copies}) == 3


async def test_every_type_may_be_issued_so(wallet: Wallet) -> None:
    [held] = await issue(wallet, "qualified-investor-di", claims=QUALIFIED)
    assert held["type"] == ["VerifiableCredential", "QualifiedInvestorCredential"]
    platform = Platform(wallet.deployment, await wallet.deployment.add_organization("platform", "platform"))
    await platform.trust(wallet.identifier, "qualified-investor", attester_class="us_cpa")
    verdict = await platform.verify(credential=held)
    assert (verdict["outcome"], verdict["claims"].items() >= QUALIFIED.items()) == ("verified", True)


async def test_metadata_say_what_it_is(wallet: Wallet) -> None:
    path = "/.well-known/openid-credential-issuer/issuers/kyc"
    metadata = (await wallet.deployment.http.get(path)).json()
    found = metadata["credential_configurations_supported"]["kyc-di"]
    assert (found["format"], found["credential_signing_alg_values_supported"]) == ("ldp_vc", ["ecdsa-rdfc-2019"])
    assert found["credential_definition"] == {"@context": CONTEXTS, "type": ["VerifiableCredential", "KycCredential"]}
    assert ["credentialSubject", "country"] in [claim["path"] for claim in found["credential_metadata"]["claims"]]


async def test_our_context_can_be_fetched(wallet: Wallet) -> None:
    answer = await wallet.deployment.http.get("/contexts/goodstanding-v1.json")
    assert answer.headers["content-type"] == "application/ld+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "max-age" in answer.headers["cache-control"]
    assert sha256(answer.content).hexdigest() in CONTEXTS_PAGE.read_text(encoding="utf-8")
    assert answer.json()["@context"]["KycCredential"] == "urn:goodstanding:vct:kyc:1"


async def test_it_verifies_until_it_is_revoked(wallet: Wallet) -> None:
    deployment = wallet.deployment
    platform = Platform(deployment, await deployment.add_organization("platform", "platform"))
    await platform.trust(wallet.identifier, "kyc")
    copies = await issue(wallet, copies=2)
    verdict = await platform.verify(credential=copies[0])
    assert (verdict["outcome"], verdict["status"]) == ("verified", "valid")
    async with deployment.context.database.reading() as session:
        rows = (await session.exec(select(CredentialCopy))).all()
    headers = await deployment.headers(wallet.member, "issuer")
    path = f"/v1/credentials/{rows[0].credential_id}/status"
    body = {"status": "revoked", "reason": "left"}
    assert (await deployment.http.post(path, json=body, headers=headers)).status_code == 200
    for copy in copies:
        assert failed((await platform.verify(credential=copy))["checks"]) == {("status", "credential_revoked")}


async def test_the_person_is_the_same_in_every_format(wallet: Wallet) -> None:
    platform = Platform(wallet.deployment, await wallet.deployment.add_organization("platform", "platform"))
    await platform.trust(wallet.identifier, "kyc")
    subjects = set()
    for name in ("kyc-di", "kyc-jwt"):
        [held] = await issue(wallet, name)
        subjects.add((await platform.verify(credential=held))["claims"]["sub"])
    assert len(subjects) == 1


async def test_its_status_is_signed(wallet: Wallet) -> None:
    platform = Platform(wallet.deployment, await wallet.deployment.add_organization("platform", "platform"))
    await platform.trust(wallet.identifier, "kyc")
    [held] = await issue(wallet)
    entries = held["credentialStatus"]
    moved = [entry | {"statusListIndex": str(int(entry["statusListIndex"]) + 1)} for entry in entries]
    without = {name: value for name, value in held.items() if name != "credentialStatus"}
    for changed in (held | {"credentialStatus": moved}, without):
        assert failed((await platform.verify(credential=changed))["checks"]) == {("signature", "proof_invalid")}


async def test_the_record_of_the_issuer_is_about_what_verifiers_see(wallet: Wallet) -> None:
    [held] = await issue(wallet)
    async with wallet.deployment.context.database.reading() as session:
        [row] = (await session.exec(select(CredentialCopy))).all()
    assert row.digest == digest_secured(held)


async def test_it_may_be_issued_later(wallet: Wallet) -> None:
    made = await make_offer(wallet.deployment, wallet.member, credential_configuration_id="kyc-di", deferred=True)
    token = (await wallet.request_token(made)).json()["access_token"]
    proofs = {"jwt": [wallet.prove(await wallet.fetch_nonce())]}
    first = await wallet.request_credential(token, {"credential_configuration_id": "kyc-di", "proofs": proofs})
    assert first.status_code == 202
    http, headers = wallet.deployment.http, await wallet.deployment.headers(wallet.member, "issuer")
    await http.post(f"/v1/credential-offers/{made['id']}/release", headers=headers)
    body, bearer = {"transaction_id": first.json()["transaction_id"]}, {"Authorization": f"Bearer {token}"}
    [held] = list_credentials(await http.post("/issuers/kyc/deferred_credential", json=body, headers=bearer))
    assert held["credentialSubject"]["id"] == did_jwk_from_jwk(wallet.keys[0].jwk)
