"""``<name>-ldp``: linked data of version 1.1 over OpenID4VCI, from the offer to the verdict."""

from typing import Any

import pytest
from sqlmodel import select

from service.credentials.did import did_jwk_from_jwk
from service.storage.tables import CredentialCopy
from tests.deployment import Deployment, Member
from tests.http.test_issuing_ldp_vc import DID, QUALIFIED, issue
from tests.issuing_support import KYC_CLAIMS, Wallet, add_issuer
from tests.verifying_support import Platform, failed

CONTEXTS = [
    "https://www.w3.org/2018/credentials/v1",
    "urn:goodstanding:context:vcdm-1.1:1",
    "https://w3id.org/security/suites/jws-2020/v1",
]


@pytest.fixture
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


@pytest.fixture
def wallet(sqlite_deployment: Deployment, member: Member) -> Wallet:
    return Wallet(sqlite_deployment, member)


async def open_platform(wallet: Wallet, name: str, **more: Any) -> Platform:
    platform = Platform(wallet.deployment, await wallet.deployment.add_organization("platform", "platform"))
    await platform.trust(wallet.identifier, name, **more)
    return platform


async def test_copies_say_what_was_offered_each_to_its_own_key(wallet: Wallet) -> None:
    copies = await issue(wallet, "kyc-ldp", copies=3)
    assert [copy["credentialSubject"]["id"] for copy in copies] == [did_jwk_from_jwk(key.jwk) for key in wallet.keys]
    for copy in copies:
        assert {name: copy["credentialSubject"][name] for name in KYC_CLAIMS} == KYC_CLAIMS
        assert (copy["issuer"], copy["@context"]) == (DID, CONTEXTS)
        assert (copy["issuanceDate"], copy["expirationDate"]) == ("2026-11-23T00:00:00Z", "2027-11-23T00:00:00Z")
        proof = copy["proof"]
        assert (proof["type"], proof["proofPurpose"]) == ("JsonWebSignature2020", "assertionMethod")
        assert proof["created"] == copy["issuanceDate"]  # as coarse: the copies of many people look alike
    assert len({copy["credentialStatus"]["statusListIndex"] for copy in copies}) == 3


async def test_every_type_may_be_issued_so(wallet: Wallet) -> None:
    [held] = await issue(wallet, "qualified-investor-ldp", claims=QUALIFIED)
    platform = await open_platform(wallet, "qualified-investor", attester_class="us_cpa")
    verdict = await platform.verify(credential=held)
    assert (verdict["outcome"], verdict["claims"].items() >= QUALIFIED.items()) == ("verified", True)


async def test_it_verifies_until_it_is_revoked(wallet: Wallet) -> None:
    deployment, platform = wallet.deployment, await open_platform(wallet, "kyc")
    copies = await issue(wallet, "kyc-ldp", copies=2)
    verdict = await platform.verify(credential=copies[0])
    assert (verdict["outcome"], verdict["format"], verdict["status"]) == ("verified", "ldp_vc", "valid")
    async with deployment.context.database.reading() as session:
        rows = (await session.exec(select(CredentialCopy))).all()
    headers = await deployment.headers(wallet.member, "issuer")
    body = {"status": "revoked", "reason": "left"}
    path = f"/v1/credentials/{rows[0].credential_id}/status"
    assert (await deployment.http.post(path, json=body, headers=headers)).status_code == 200
    for copy in copies:
        assert failed((await platform.verify(credential=copy))["checks"]) == {("status", "credential_revoked")}


async def test_the_person_is_the_same_in_every_format(wallet: Wallet) -> None:
    platform, subjects = await open_platform(wallet, "kyc"), set()
    for name in ("kyc-di", "kyc-ldp", "kyc-jwt"):
        [held] = await issue(wallet, name)
        subjects.add((await platform.verify(credential=held))["claims"]["sub"])
    assert len(subjects) == 1


async def test_metadata_and_context_say_what_it_is(wallet: Wallet) -> None:
    http = wallet.deployment.http
    metadata = (await http.get("/.well-known/openid-credential-issuer/issuers/kyc")).json()
    found = metadata["credential_configurations_supported"]["kyc-ldp"]
    assert found["credential_definition"] == {"@context": CONTEXTS, "type": ["VerifiableCredential", "KycCredential"]}
    context = (await http.get("/contexts/goodstanding-vcdm11-v1.json")).json()["@context"]
    assert context["KycCredential"] == "urn:goodstanding:vct:kyc:1"
