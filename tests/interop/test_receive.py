"""An independent wallet receives our credentials (OpenID4VCI 1.0), and independent code verifies them."""

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from service.credentials.encoding import b64url_decode
from service.credentials.jose import parse_json, parse_jws
from service.credentials.sd_jwt import parse_sd_jwt
from service.demo.client import OrganizationClient
from tests.interop.claims import KYC
from tests.interop.support import Deployment, Node

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def offer_kyc(issuer: OrganizationClient, *, tx_code: bool = False, **more: Any) -> Any:
    body = {"credential_configuration_id": "kyc", "claims": KYC, "subject_ref": "case-1", "tx_code": tx_code, **more}
    return await issuer.post("/v1/credential-offers", body)


def read_payload(credential: str) -> dict[str, Any]:
    payload: dict[str, Any] = parse_json(parse_jws(parse_sd_jwt(credential).issuer_jwt).payload)
    return payload


async def read_offer_object(deployment: Deployment, deep_link: str) -> Any:
    return await deployment.fetch_json(parse_qs(urlsplit(deep_link).query)["credential_offer_uri"][0])


def type_metadata_url(deployment: Deployment) -> str:
    return f"{deployment.seed['organizations']['kyc']['credential_issuer']}/type-metadata/kyc"


TYPES = ("kyc", "aml-screening", "qualified-investor", "investment-limit")
CONFIGURATIONS = {name + ending for ending in ("", "-jwt", "-di", "-ldp") for name in TYPES}


@pytest.mark.parametrize(
    "choices",
    [{}, {"details": True}, {"binding": "did:jwk"}, {"alg": "ES384"}, {"alg": "EdDSA"}],
    ids=["by configuration", "by identifier", "key named by its DID", "ES384", "EdDSA"],
)
async def test_a_wallet_receives_a_credential(deployment: Deployment, node: Node, choices: dict[str, Any]) -> None:
    offer = await offer_kyc(deployment.kyc)
    received = await node.run("wallet.mjs", "receive", offer=offer["deep_link"], **choices)
    assert (received["version"], received["notified"]) == ("V1", 204)
    # "known" are the configurations whose format and members the library recognises
    assert set(received["known"]) == CONFIGURATIONS
    [credential] = received["credentials"]
    [verified] = await node.verify(credential, type_metadata=type_metadata_url(deployment))
    assert verified["valid"], verified
    assert verified["payload"].items() >= KYC.items()
    assert verified["payload"]["cnf"]["jwk"]["x"] == received["keys"][0]["x"]
    assert verified["typeMetadata"]["mergedTypeMetadata"]["vct"] == verified["payload"]["vct"]


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
async def test_a_wallet_binds_its_token_with_dpop(deployment: Deployment, node: Node, alg: str) -> None:
    offer = await offer_kyc(deployment.kyc)
    received = await node.run("wallet.mjs", "receive", offer=offer["deep_link"], dpopAlg=alg)
    assert (received["tokenType"], len(received["credentials"]), received["notified"]) == ("DPoP", 1, 204)


async def test_an_attested_wallet_is_known(deployment: Deployment, node: Node) -> None:
    issuer = await deployment.add_issuer("attested")
    made = await node.run("wallet.mjs", "makeProvider")
    attestation = {"provider": made["provider"], "clientId": "https://wallet.example"}
    body = {"name": "Maker", "client_ids": [attestation["clientId"]], "jwks": made["jwks"]}
    await issuer.call("PUT", "/v1/wallet-providers/maker", body)
    for more in ({}, {"dpopAlg": "ES256"}):
        offer = await offer_kyc(issuer)
        sent = {"offer": offer["deep_link"], "attestation": attestation, **more}
        received = await node.run("wallet.mjs", "receive", **sent)
        assert len(received["credentials"]) == 1
    forged = attestation | {"provider": (await node.run("wallet.mjs", "makeProvider"))["provider"]}
    offer = await offer_kyc(issuer)
    with pytest.raises(AssertionError, match="invalid_client"):
        await node.run("wallet.mjs", "receive", offer=offer["deep_link"], attestation=forged)


PAGE = {"clientId": "pocket", "redirectUri": "https://wallet.example/cb"}


@pytest.mark.parametrize(
    "choices",
    [{}, {"details": True}, {"dpopAlg": "ES256"}, {"dpopAlg": "ES256", "page": PAGE | {"again": True}}],
    ids=["by scope", "by authorization details", "DPoP", "DPoP and a refresh token"],
)
async def test_a_wallet_comes_by_the_page(deployment: Deployment, node: Node, choices: dict[str, Any]) -> None:
    registration = {"name": "Pocket", "redirect_uris": [PAGE["redirectUri"]], "token_endpoint_auth_method": "none"}
    await deployment.kyc.call("PUT", f"/v1/wallet-clients/{PAGE['clientId']}", registration)
    offer = await offer_kyc(deployment.kyc, tx_code=True, grant="authorization_code")
    sent = {"page": PAGE, **choices, "offer": offer["deep_link"], "txCode": offer["tx_code"]}
    received = await node.run("wallet.mjs", "receive", **sent)
    assert received["tokenType"] == ("DPoP" if "dpopAlg" in choices else "Bearer")
    assert (len(received["credentials"]), received["notified"]) == (1, 204)


async def test_an_attested_wallet_comes_by_the_page_without_registration(deployment: Deployment, node: Node) -> None:
    issuer = await deployment.add_issuer("attested-by-page")
    made = await node.run("wallet.mjs", "makeProvider")
    attestation = {"provider": made["provider"], "clientId": PAGE["clientId"]}
    body = {"name": "Maker", "client_ids": [PAGE["clientId"]], "jwks": made["jwks"]}
    await issuer.call("PUT", "/v1/wallet-providers/maker", body)
    offer = await offer_kyc(issuer, grant="authorization_code")
    sent = {"offer": offer["deep_link"], "page": PAGE, "attestation": attestation, "dpopAlg": "ES256"}
    assert len((await node.run("wallet.mjs", "receive", **sent))["credentials"]) == 1


async def test_a_wallet_reads_signed_metadata(deployment: Deployment, node: Node) -> None:
    issuer = deployment.seed["organizations"]["kyc"]["credential_issuer"]
    metadata = await node.run("wallet.mjs", "readSignedMetadata", issuer=issuer)
    assert metadata["signedFor"] == issuer
    assert set(metadata["known"]) == CONFIGURATIONS


async def test_a_transaction_code_is_needed_and_must_be_right(deployment: Deployment, node: Node) -> None:
    offer = await offer_kyc(deployment.kyc, tx_code=True)
    wrong = "0000" if offer["tx_code"] != "0000" else "1111"
    with pytest.raises(AssertionError, match="invalid_grant"):
        await node.run("wallet.mjs", "receive", offer=offer["deep_link"], txCode=wrong)
    received = await node.run("wallet.mjs", "receive", offer=offer["deep_link"], txCode=offer["tx_code"])
    assert len(received["credentials"]) == 1


async def test_an_offer_may_travel_by_value(deployment: Deployment, node: Node) -> None:
    offer = await read_offer_object(deployment, (await offer_kyc(deployment.kyc))["deep_link"])
    link = "openid-credential-offer://?" + urlencode({"credential_offer": json.dumps(offer)})
    assert len((await node.run("wallet.mjs", "receive", offer=link))["credentials"]) == 1


async def test_copies_of_a_batch_share_nothing_that_links_them(deployment: Deployment, node: Node) -> None:
    offer = await offer_kyc(deployment.kyc)
    received = await node.run("wallet.mjs", "receive", offer=offer["deep_link"], newKeys=3)
    copies = [parse_sd_jwt(credential) for credential in received["credentials"]]
    payloads = [read_payload(credential) for credential in received["credentials"]]
    assert [payload["cnf"]["jwk"]["x"] for payload in payloads] == [key["x"] for key in received["keys"]]
    salts = [json.loads(b64url_decode(text))[0] for copy in copies for text in copy.disclosures]
    assert len(set(salts)) == len(salts) >= 3 * len(KYC)
    assert len({payload["status"]["status_list"]["idx"] for payload in payloads}) == 3
    assert len({digest for payload in payloads for digest in payload["_sd"]}) == sum(
        len(payload["_sd"]) for payload in payloads
    )


async def test_an_independent_verifier_reads_our_status_lists(deployment: Deployment, node: Node) -> None:
    # Lists are remade once a minute; a new issuer's has not been fetched yet, so the first fetch shows every change.
    issuer = await deployment.add_issuer("status-keeper")
    granted = []
    for status in ("valid", "suspended", "revoked"):
        offer = await offer_kyc(issuer)
        received = await node.run("wallet.mjs", "receive", offer=offer["deep_link"], newKeys=2)
        [described] = (await issuer.get(f"/v1/credential-offers/{offer['id']}"))["credentials"]
        await issuer.post(f"/v1/credentials/{described['id']}/status", {"status": status, "reason": "interop"})
        granted += received["credentials"]
    results = await node.verify(*granted)
    assert [result.get("error") for result in results] == [None] * 2 + ["Status is not valid"] * 4


async def test_an_independent_verifier_refuses_what_we_did_not_sign(deployment: Deployment, node: Node) -> None:
    offer = await offer_kyc(deployment.kyc)
    [credential] = (await node.run("wallet.mjs", "receive", offer=offer["deep_link"]))["credentials"]
    head, _, rest = credential.partition(".")
    altered = f"{head}.{rest[:40]}{'A' if rest[40] != 'A' else 'B'}{rest[41:]}"
    assert [result["valid"] for result in await node.verify(credential, altered)] == [True, False]
