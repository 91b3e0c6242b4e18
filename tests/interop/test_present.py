"""An independent wallet answers our presentation requests (OpenID4VP 1.0)."""

from typing import Any

import pytest
import pytest_asyncio

from service.demo.client import OrganizationClient
from tests.interop.claims import ACCREDITATION, KYC, SCREENING
from tests.interop.support import Deployment, Node

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


async def test_a_wallet_binds_its_answer_to_transaction_data(
    deployment: Deployment, node: Node, investor: dict[str, Any]
) -> None:
    query_id = "kyc"
    entry = {"type": "subscription", "credential_ids": [query_id], "amount": "1000.00"}
    request = await ask(deployment, transaction_data=[entry])
    assert (await node.run("wallet.mjs", "present", link=request["deep_link"], **investor))["status"] == 200
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
