"""An independent wallet waits for a credential, and keeps its requests and our answers from everybody between."""

from typing import Any

import pytest

from service.demo.client import OrganizationClient
from tests.interop.claims import KYC
from tests.interop.support import Deployment, Node
from tests.interop.test_receive import read_payload

pytestmark = pytest.mark.asyncio(loop_scope="session")
SCRIPT = "later_wallet.mjs"


async def offer_kyc(issuer: OrganizationClient, **more: Any) -> Any:
    body = {"credential_configuration_id": "kyc", "claims": KYC, "subject_ref": "later-1", "tx_code": False}
    return await issuer.post("/v1/credential-offers", body | more)


def keys_of(result: dict[str, Any]) -> list[str]:
    return [key["x"] for key in result["keys"]]


def bound_to(credentials: list[str]) -> list[str]:
    return [read_payload(credential)["cnf"]["jwk"]["x"] for credential in credentials]


async def test_a_wallet_waits_for_a_deferred_batch(deployment: Deployment, node: Node) -> None:
    offer = await offer_kyc(deployment.kyc, deferred=True)
    asked = await node.run(SCRIPT, "ask", offer=offer["deep_link"], newKeys=2)
    assert "credentials" not in asked
    issuer = deployment.seed["organizations"]["kyc"]["credential_issuer"]
    again = {"issuer": issuer, "accessToken": asked["accessToken"], "transactionId": asked["transactionId"]}
    waiting = await node.run(SCRIPT, "collect", **again)
    assert (waiting["transactionId"], waiting["interval"] > 0) == (asked["transactionId"], True)
    await deployment.kyc.post(f"/v1/credential-offers/{offer['id']}/release", {})
    issued = await node.run(SCRIPT, "collect", **again)
    assert bound_to(issued["credentials"]) == keys_of(asked)
    assert [result["valid"] for result in await node.verify(*issued["credentials"])] == [True, True]
    with pytest.raises(AssertionError, match="invalid_transaction_id"):
        await node.run(SCRIPT, "collect", **again)


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
async def test_request_and_response_are_encrypted(deployment: Deployment, node: Node, enc: str) -> None:
    offer = await offer_kyc(deployment.kyc)
    received = await node.run(SCRIPT, "receiveEncrypted", offer=offer["deep_link"], newKeys=2, enc=enc)
    [exchange] = received["exchanges"]
    assert (exchange["status"], exchange["type"]) == (200, "application/jwt")
    assert exchange["header"].items() >= {"alg": "ECDH-ES", "enc": enc, "kid": "answer"}.items()
    assert enc in received["supported"]["enc_values_supported"]
    assert bound_to([entry["credential"] for entry in exchange["answer"]["credentials"]]) == keys_of(received)


async def test_waiting_is_encrypted_too(deployment: Deployment, node: Node) -> None:
    offer = await offer_kyc(deployment.kyc, deferred=True)
    received = await node.run(SCRIPT, "receiveEncrypted", offer=offer["deep_link"], enc="A128GCM")
    first, second = received["exchanges"]
    assert [first["status"], second["status"]] == [202, 202]
    assert first["answer"] == second["answer"]
