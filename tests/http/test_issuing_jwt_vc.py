"""``<name>-jwt``: JWT VCs over OpenID4VCI, from the offer to the verdict."""

from typing import Any

import httpx2
import pytest
from sqlmodel import select

from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.credentials.jose import parse_json, parse_jws, sign_jws
from service.credentials.jwt_vc import UnverifiedJwtVc, parse_jwt, read_jwt_vc
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


@pytest.fixture
async def member(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment)


@pytest.fixture
def wallet(sqlite_deployment: Deployment, member: Member) -> Wallet:
    return Wallet(sqlite_deployment, member)


async def issue(wallet: Wallet, name: str = "kyc-jwt", *, copies: int = 1, **changes: Any) -> list[str]:
    made = await make_offer(wallet.deployment, wallet.member, credential_configuration_id=name, **changes)
    return list_credentials(await wallet.redeem(made, copies=copies))


def list_credentials(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["credential"] for entry in answer.json()["credentials"]]


def read(compact: str) -> UnverifiedJwtVc:
    return read_jwt_vc(parse_jwt(compact))


async def test_copies_say_what_was_offered_each_to_its_own_key(wallet: Wallet) -> None:
    copies = [read(compact) for compact in await issue(wallet, copies=3)]
    assert [copy.subject_id for copy in copies] == [did_jwk_from_jwk(key.jwk) for key in wallet.keys]
    for copy in copies:
        subject = copy.document["credentialSubject"]
        assert {name: subject[name] for name in KYC_CLAIMS} == KYC_CLAIMS
        assert subject["sub"] == copies[0].document["credentialSubject"]["sub"]
        assert copy.issuer == copy.document["issuer"] == DID
        assert copy.document["type"] == ["VerifiableCredential", "KycCredential"]
        assert (copy.document["issuanceDate"], copy.document["expirationDate"]) == (
            "2026-11-23T00:00:00Z",
            "2027-11-23T00:00:00Z",
        )
    assert len({copy.read_statuses() for copy in copies}) == 3


async def test_every_type_may_be_issued_so(wallet: Wallet) -> None:
    [compact] = await issue(wallet, "qualified-investor-jwt", claims=QUALIFIED)
    assert read(compact).document["type"] == ["VerifiableCredential", "QualifiedInvestorCredential"]


async def test_the_subject_is_the_did_that_was_proved(wallet: Wallet) -> None:
    made = await make_offer(wallet.deployment, wallet.member, credential_configuration_id="kyc-jwt")
    token = (await wallet.request_token(made)).json()["access_token"]
    proof, key = wallet.prove(await wallet.fetch_nonce()), wallet.keys[0]
    did = did_key_from_jwk(key.jwk)
    header = {"typ": "openid4vci-proof+jwt", "alg": "ES256", "kid": f"{did}#{did.removeprefix('did:key:')}"}
    sign = wallet.deployment.context.signer.signing_function(key.kid)
    proofs = {"jwt": [sign_jws(header, parse_json(parse_jws(proof).payload), sign)]}
    body = {"credential_configuration_id": "kyc-jwt", "proofs": proofs}
    [compact] = list_credentials(await wallet.request_credential(token, body))
    assert read(compact).subject_id == did


async def test_it_verifies_until_it_is_revoked(wallet: Wallet) -> None:
    deployment = wallet.deployment
    platform = Platform(deployment, await deployment.add_organization("platform", "platform"))
    await platform.trust(wallet.identifier, "kyc")
    compacts = await issue(wallet, copies=2)
    assert (await platform.verify(credential=compacts[0]))["outcome"] == "verified"
    async with deployment.context.database.reading() as session:
        copies = (await session.exec(select(CredentialCopy))).all()
    verdict = await platform.verify(credential=compacts[0])
    assert verdict["status"] == "valid"
    headers = await deployment.headers(wallet.member, "issuer")
    path = f"/v1/credentials/{copies[0].credential_id}/status"
    body = {"status": "revoked", "reason": "left"}
    assert (await deployment.http.post(path, json=body, headers=headers)).status_code == 200
    for compact in compacts:
        assert failed((await platform.verify(credential=compact))["checks"]) == {("status", "credential_revoked")}


async def test_it_may_be_issued_later(wallet: Wallet) -> None:
    made = await make_offer(wallet.deployment, wallet.member, credential_configuration_id="kyc-jwt", deferred=True)
    token = (await wallet.request_token(made)).json()["access_token"]
    proofs = {"jwt": [wallet.prove(await wallet.fetch_nonce())]}
    first = await wallet.request_credential(token, {"credential_configuration_id": "kyc-jwt", "proofs": proofs})
    assert first.status_code == 202
    http, headers = wallet.deployment.http, await wallet.deployment.headers(wallet.member, "issuer")
    await http.post(f"/v1/credential-offers/{made['id']}/release", headers=headers)
    body, bearer = {"transaction_id": first.json()["transaction_id"]}, {"Authorization": f"Bearer {token}"}
    [compact] = list_credentials(await http.post("/issuers/kyc/deferred_credential", json=body, headers=bearer))
    assert read(compact).subject_id == did_jwk_from_jwk(wallet.keys[0].jwk)


async def test_a_case_decides_on_sd_jwt_vcs_only(wallet: Wallet) -> None:
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    body = {"credential_configuration_id": "qualified-investor-jwt", "subject_ref": "investor-1"}
    answer = await wallet.deployment.http.post("/v1/cases", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "case_type_unsupported")
