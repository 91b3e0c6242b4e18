"""JWT VCs over OpenID4VP: asked for, presented, kept in the standing, and decided on at the gate."""

from datetime import timedelta
from typing import Any

import pytest

from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from tests.deployment import Deployment
from tests.gate_support import Market, codes, open_market
from tests.unit.bitstring_support import entry
from tests.unit.jwt_vc_support import present_v1, present_v2, sign
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import CLAIMS, Scene, Wallet, build_scene, failed, seconds

EITHER = ["dc+sd-jwt", "jwt_vc_json"]
QUERY = {
    "credentials": [
        {
            "id": "identity",
            "format": "jwt_vc_json",
            "meta": {"type_values": [["VerifiableCredential", "KycCredential"], ["Passport"]]},
            "claims": [{"path": ["credentialSubject", "country"], "values": ["US"]}],
        }
    ]
}


@pytest.fixture
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def new_wallet(scene: Scene, **kyc: Any) -> Wallet:
    """Return a wallet whose KYC and investor status are JWT VCs, and whose screening is an SD-JWT VC."""
    wallet = Wallet(scene.deployment)
    wallet.held = [
        await scene.kyc.issue_jwt_vc("kyc", wallet.keys, **kyc),
        await scene.kyc.issue("aml-screening", wallet.keys),
        await scene.accreditor.issue_jwt_vc("qualified-investor", wallet.keys),
    ]
    return wallet


async def test_credentials_of_both_formats_make_a_permit_until_one_is_revoked(sqlite_deployment: Deployment) -> None:
    market: Market = await open_market(sqlite_deployment)
    scene = market.scene
    index = scene.accreditor.next_index
    wallet = await new_wallet(scene)
    made = await scene.platform.ask(purpose="us.506c", formats=EITHER, investor_ref="ada")
    assert (await wallet.answer(made)).status_code == 200
    found = await scene.platform.read(made["id"])
    assert (found["state"], failed(found["checks"])) == ("verified", set())
    assert {each["id"]: each["vct"] for each in found["credentials"]} == {
        "kyc_jwt": "urn:goodstanding:vct:kyc:1",
        "aml": "urn:goodstanding:vct:aml-screening:1",
        "qualified_investor_jwt": "urn:goodstanding:vct:qualified-investor:1",
    }
    assert all("given_name" not in each["claims"] for each in found["credentials"])  # shown, but not asked for
    standing = await scene.platform.read_standing("ada")
    assert {each["credential_type"] for each in standing["credentials"]} == {
        "kyc",
        "aml-screening",
        "qualified-investor",
    }
    assert (await market.decide(market.buy("ada")))["outcome"] == "permit"
    await scene.accreditor.set_status(index, 1)
    denied = await market.decide(market.buy("ada"))
    assert (denied["outcome"], "CRED_REVOKED" in codes(denied)) == ("deny", True)


@pytest.mark.parametrize("purpose", ["us.506c", "us.reg_s"])
async def test_a_purpose_may_ask_for_this_format_alone(scene: Scene, purpose: str) -> None:
    made = await scene.platform.ask(purpose=purpose, formats=["jwt_vc_json"])
    request = await scene.wallet.open(made)
    assert {each["format"] for each in request["dcql_query"]["credentials"]} == {"jwt_vc_json"}
    assert request["client_metadata"]["vp_formats_supported"]["jwt_vc_json"]["alg_values"]


async def test_formats_belong_to_a_purpose(scene: Scene) -> None:
    for body in (
        {"dcql_query": QUERY, "formats": EITHER},
        {"purpose": "us.506c", "formats": []},
        {"purpose": "us.506c", "formats": ["mso_mdoc"]},
        {"purpose": "us.506c", "formats": ["jwt_vc_json"] * 2},
    ):
        assert (await scene.platform.call("POST", "/v1/presentation-requests", body)).status_code == 422


def present_for(scene: Scene, request: dict[str, Any], *compacts: str, **changes: Any) -> str:
    values = {
        "keys": scene.wallet.keys,
        "iat": seconds(scene.deployment.clock()),
        "aud": request["client_id"],
        "nonce": request["nonce"],
    }
    return present_v1(*compacts, **values | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"aud": "https://venue.example"}, {("audience", "audience_mismatch")}),
        ({"nonce": "other"}, {("nonce", "nonce_mismatch")}),
        ({"keys": new_key_pair()}, {("holder_binding", "presentation_holder_invalid")}),
    ],
)
async def test_a_presentation_is_made_for_this_request_by_its_holder(
    scene: Scene, changes: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    compact = await scene.kyc.issue_jwt_vc("kyc", scene.wallet.keys)
    made = await scene.platform.ask(dcql_query=QUERY)
    request = await scene.wallet.open(made)
    sent = await scene.wallet.send(request, {"identity": [present_for(scene, request, compact, **changes)]})
    assert sent.status_code == (400 if expected else 200)
    found = (await scene.platform.read(made["id"]))["checks"]
    assert failed(found) == expected


async def test_a_credential_of_version_2_can_be_asked_for(scene: Scene) -> None:
    issuer, now = new_key_pair(), scene.deployment.clock()
    did = did_key_from_jwk(issuer.jwk)
    await scene.platform.trust(did, "kyc", entry_id="abroad")
    claims = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential", "KycCredential"],
        "issuer": did,
        "validFrom": (now - timedelta(days=1)).isoformat(),
        "validUntil": (now + timedelta(days=30)).isoformat(),
        "credentialSubject": {"id": did_jwk_from_jwk(scene.wallet.keys.jwk), "country": "US"},
    }
    compact = sign(claims, {"typ": "vc+jwt"}, issuer)
    query = {"credentials": [QUERY["credentials"][0] | {"format": "vc+jwt"}]}
    for country, nonce, state in (("US", None, "verified"), ("US", "other", "rejected"), ("FR", None, "rejected")):
        claims["credentialSubject"]["country"] = country
        compact = sign(claims, {"typ": "vc+jwt"}, issuer)
        made = await scene.platform.ask(dcql_query=query)
        request = await scene.wallet.open(made)
        assert request["client_metadata"]["vp_formats_supported"]["vc+jwt"]["alg_values"]
        bound = {"aud": request["client_id"], "nonce": nonce or request["nonce"], "iat": seconds(now)}
        await scene.wallet.send(request, {"identity": [present_v2(compact, keys=scene.wallet.keys, **bound)]})
        found = await scene.platform.read(made["id"])
        assert found["state"] == state, found["checks"]


async def test_what_comes_back_answers_the_query(scene: Scene) -> None:
    kyc = await scene.kyc.issue_jwt_vc("kyc", scene.wallet.keys)
    aml = await scene.kyc.issue_jwt_vc("aml-screening", scene.wallet.keys)
    for compacts in ((aml,), (kyc, kyc)):
        made = await scene.platform.ask(dcql_query=QUERY)
        request = await scene.wallet.open(made)
        await scene.wallet.send(request, {"identity": [present_for(scene, request, *compacts)]})
        checks = (await scene.platform.read(made["id"]))["checks"]
        assert failed(checks) == {("query", "query_unsatisfied")}


async def test_another_format_than_asked_for_is_no_answer(scene: Scene) -> None:
    made = await scene.platform.ask(dcql_query=QUERY)
    request = await scene.wallet.open(made)
    as_sd_jwt = {"id": "kyc", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]}}
    shown = scene.wallet.present(request | {"dcql_query": {"credentials": [as_sd_jwt]}})
    await scene.wallet.send(request, {"identity": shown["kyc"]})
    assert failed((await scene.platform.read(made["id"]))["checks"]) == {("query", "query_unsatisfied")}


async def test_transaction_data_are_tied_to_sd_jwt_vcs_only(scene: Scene) -> None:
    entry = {"type": "urn:goodstanding:transaction:representation:1", "credential_ids": ["identity"]}
    body = {"dcql_query": QUERY, "transaction_data": [entry]}
    answer = await scene.platform.call("POST", "/v1/presentation-requests", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "transaction_data_invalid")


async def test_a_standing_follows_several_status_entries(scene: Scene) -> None:
    vc = {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential", "KycCredential"],
        "credentialSubject": CLAIMS["kyc"],
        "credentialStatus": entry(statusListCredential=f"{scene.kyc.list_uri}/revocation"),
    }
    compact = await scene.kyc.issue_jwt_vc("kyc", scene.wallet.keys, vc=vc)
    made = await scene.platform.ask(dcql_query=QUERY, investor_ref="ada")
    request = await scene.wallet.open(made)
    await scene.wallet.send(request, {"identity": [present_for(scene, request, compact)]})
    found = await scene.platform.read(made["id"])
    assert (found["state"], failed(found["checks"])) == ("verified", set())
    await scene.kyc.set_status(5, 1)  # of the bitstring's entry, not of the token's
    [credential] = (await scene.platform.read_standing("ada"))["credentials"]
    assert (credential["status"], credential["usable"]) == ("revoked", False)
