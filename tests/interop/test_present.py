"""An independent wallet answers our presentation requests (OpenID4VP 1.0)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.x509 import DNSName, SubjectAlternativeName, load_pem_x509_csr

from service.demo.client import OrganizationClient
from tests.certificate_support import new_root, to_pem
from tests.interop.claims import ACCREDITATION, KYC, SCREENING
from tests.interop.support import Deployment, Node
from tests.unit.test_transaction_data import TRADE_DATA

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def investor(deployment: Deployment, node: Node) -> dict[str, Any]:
    """A wallet with the three credentials of two issuers on one key: ``key`` and ``credentials``."""
    wallet: dict[str, Any] = {"credentials": []}
    for issuer, name, claims in (
        (deployment.kyc, "kyc", KYC),
        (deployment.kyc, "aml-screening", SCREENING),
        (deployment.accreditor, "qualified-investor", ACCREDITATION),
    ):
        offer = await offer_credential(issuer, name, claims)
        keys = {"keys": [wallet["key"]], "newKeys": 0} if "key" in wallet else {}
        received = await node.run("wallet.mjs", "receive", offer=offer["deep_link"], **keys)
        wallet["key"] = received["keys"][0]
        wallet["credentials"] += received["credentials"]
    return wallet


async def offer_credential(issuer: OrganizationClient, name: str, claims: dict[str, Any]) -> Any:
    body = {"credential_configuration_id": name, "claims": claims, "subject_ref": "case-2", "tx_code": False}
    return await issuer.post("/v1/credential-offers", body)


async def ask(deployment: Deployment, **terms: Any) -> Any:
    return await deployment.platform.post("/v1/presentation-requests", {"purpose": "us.506c", **terms})


async def read_request(deployment: Deployment, request: Any) -> Any:
    return await deployment.platform.get(f"/v1/presentation-requests/{request['id']}")


async def read_failed_codes(deployment: Deployment, request: Any) -> set[str]:
    checks = (await read_request(deployment, request))["checks"]
    return {check["code"] for check in checks if check["outcome"] == "fail"}


@pytest.mark.parametrize("response_mode", ["direct_post", "direct_post.jwt"])
async def test_three_credentials_of_two_issuers_cover_a_purpose(
    deployment: Deployment, node: Node, investor: dict[str, Any], response_mode: str
) -> None:
    ref = f"investor-{response_mode}"
    request = await ask(deployment, investor_ref=ref, response_mode=response_mode)
    sent = await node.run("wallet.mjs", "present", link=request["deep_link"], **investor)
    assert (sent["status"], sent["body"]) == (200, {})
    assert (sent["prefix"], sent["encrypted"]) == ("decentralized_identifier", response_mode == "direct_post.jwt")
    answered = await read_request(deployment, request)
    assert answered["state"] == "verified", answered["checks"]
    told = {name for credential in answered["credentials"] for name in credential["claims"]}
    assert told == {name for names in sent["shown"].values() for name in names}
    assert not told & {"given_name", "family_name", "birthdate"}
    standing = await deployment.platform.get(f"/v1/investors/{ref}/standing")
    [coverage] = [each for each in standing["purposes"] if each["purpose"] == "us.506c"]
    assert coverage["covered"] is True


async def test_a_wallet_may_post_for_the_request(deployment: Deployment, node: Node, investor: dict[str, Any]) -> None:
    request = await ask(deployment)
    link = request["deep_link"] + "&request_uri_method=post"
    assert (await node.run("wallet.mjs", "present", link=link, **investor))["status"] == 200
    assert (await read_request(deployment, request))["state"] == "verified"


async def test_a_wallet_signs_a_trade(deployment: Deployment, node: Node, investor: dict[str, Any]) -> None:
    request = await ask(deployment, transaction_data=[TRADE_DATA])
    assert (await node.run("wallet.mjs", "present", link=request["deep_link"], **investor))["status"] == 200
    answered = await read_request(deployment, request)
    assert answered["state"] == "verified"
    assert [(each["type"], each["agreed"]) for each in answered["transaction_data"]] == [(TRADE_DATA["type"], True)]


@pytest.mark.parametrize("response_mode", ["direct_post", "direct_post.jwt"])
async def test_a_request_may_stand_in_the_link(
    deployment: Deployment, node: Node, investor: dict[str, Any], response_mode: str
) -> None:
    request = await ask(deployment, client_id_prefix="redirect_uri", response_mode=response_mode)
    sent = await node.run("wallet.mjs", "present", link=request["deep_link"], **investor)
    assert (sent["status"], sent["prefix"]) == (200, "redirect_uri")
    assert (await read_request(deployment, request))["state"] == "verified"


@pytest.mark.parametrize("prefix", [None, "decentralized_identifier"])
@pytest.mark.parametrize("response_mode", ["dc_api", "dc_api.jwt"])
async def test_a_page_carries_request_and_answer(
    deployment: Deployment, node: Node, investor: dict[str, Any], response_mode: str, prefix: str | None
) -> None:
    origin = "https://venue.example"
    request = await ask(deployment, response_mode=response_mode, client_id_prefix=prefix, expected_origins=[origin])
    asked = request["dc_api_request"]["data"]
    made = await node.run("wallet.mjs", "presentToPage", data=asked, origin=origin, **investor)
    assert made["prefix"] == (prefix or "origin")
    assert ("response" in made["data"]) == (response_mode == "dc_api.jwt")
    body = {"origin": origin, "data": made["data"]}
    answered = await deployment.platform.post(f"/v1/presentation-requests/{request['id']}/dc-api-response", body)
    assert answered["state"] == "verified", answered["checks"]


async def test_a_signed_request_of_another_page_is_refused(
    deployment: Deployment, node: Node, investor: dict[str, Any]
) -> None:
    terms = {"client_id_prefix": "decentralized_identifier", "expected_origins": ["https://venue.example"]}
    request = await ask(deployment, response_mode="dc_api.jwt", **terms)
    asked = request["dc_api_request"]["data"]
    with pytest.raises(AssertionError, match="expected_origins"):
        await node.run("wallet.mjs", "presentToPage", data=asked, origin="https://evil.example", **investor)


async def test_a_wallet_may_have_its_request_encrypted(deployment: Deployment, node: Node) -> None:
    request = await ask(deployment, request_uri_method="post")
    fetched = await node.run("wallet.mjs", "fetchEncrypted", uri=request["request_uri"])
    assert fetched["type"] == "application/oauth-authz-req+jwt"
    assert (fetched["header"]["kid"], fetched["header"]["cty"]) == ("wallet", "JWT")
    assert fetched["claims"]["wallet_nonce"] == "from-node"


@pytest.mark.parametrize("prefix", ["x509_san_dns", "x509_hash"])
async def test_a_wallet_knows_a_certified_verifier(
    deployment: Deployment, node: Node, investor: dict[str, Any], tmp_path: Path, prefix: str
) -> None:
    who = ("--org", deployment.seed["organizations"]["platform"]["slug"], "--purpose", "verifier")
    asked = load_pem_x509_csr((await deployment.run("keys", "request-certificate", *who))["request"].encode())
    names = asked.extensions.get_extension_for_class(SubjectAlternativeName).value
    root = new_root(datetime.now(UTC))
    chain, anchor = tmp_path / "chain.pem", tmp_path / "root.pem"
    chain.write_text(to_pem(root.certify(asked.public_key(), dns=names.get_values_for_type(DNSName))))
    anchor.write_text(root.pem)
    await deployment.run("keys", "import-certificate", str(chain), "--anchor", str(anchor), *who)
    request = await ask(deployment, client_id_prefix=prefix, response_mode="direct_post.jwt")
    sent = await node.run("wallet.mjs", "present", link=request["deep_link"], anchor=root.pem, **investor)
    assert (sent["status"], sent["prefix"]) == (200, prefix)
    assert (await read_request(deployment, request))["state"] == "verified"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"nonce": "n" * 43}, "nonce_mismatch"), ({"audience": "https://elsewhere.example"}, "audience_mismatch")],
    ids=["nonce", "audience"],
)
async def test_an_answer_made_for_another_request_is_rejected(
    deployment: Deployment, node: Node, investor: dict[str, Any], wrong: dict[str, str], code: str
) -> None:
    request = await ask(deployment)
    sent = await node.run("wallet.mjs", "present", link=request["deep_link"], **investor, **wrong)
    assert (sent["status"], sent["body"]["error"]) == (400, "invalid_request")
    assert (await read_request(deployment, request))["state"] == "rejected"
    assert await read_failed_codes(deployment, request) == {code}


async def test_a_key_other_than_the_holders_is_rejected(
    deployment: Deployment, node: Node, investor: dict[str, Any]
) -> None:
    offer = await offer_credential(deployment.kyc, "kyc", KYC)
    thief = (await node.run("wallet.mjs", "receive", offer=offer["deep_link"]))["keys"][0]
    request = await ask(deployment)
    sent = await node.run("wallet.mjs", "present", link=request["deep_link"], **investor | {"key": thief})
    assert sent["status"] == 400
    assert await read_failed_codes(deployment, request) == {"holder_binding_invalid"}


async def test_a_wallet_that_lacks_a_credential_sees_that_itself(
    deployment: Deployment, node: Node, investor: dict[str, Any]
) -> None:
    request = await ask(deployment)
    some = investor | {"credentials": investor["credentials"][:2]}
    with pytest.raises(AssertionError, match="cannot be satisfied"):
        await node.run("wallet.mjs", "present", link=request["deep_link"], **some)
    assert (await read_request(deployment, request))["state"] == "pending"
