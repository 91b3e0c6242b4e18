"""Credentials with Data Integrity proofs over OpenID4VP: asked for, presented, kept, and decided on at the gate."""

from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import pytest

from service.credentials.cryptosuites import LEGACY_SUITES
from service.credentials.data_integrity import PROOF_TYPE
from service.credentials.did import did_jwk_from_jwk
from service.credentials.ldp_vc_issuing import PROOF_TYPE_1
from service.credentials.ldp_vc_presenting import present_ldp_vc
from service.linked_data.bundled_contexts import load_contexts
from tests.deployment import Deployment
from tests.gate_support import Market, codes, open_market
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import CLAIMS, Scene, Wallet, build_scene, failed

FORMATS = ["dc+sd-jwt", "jwt_vc_json", "ldp_vc"]
SOMEBODY_ELSE = CLAIMS["kyc"] | {"sub": "urn:goodstanding:subject:subject-two"}
KYC = "urn:goodstanding:vct:kyc:1"
QUERY = {
    "credentials": [
        {
            "id": "identity",
            "format": "ldp_vc",
            "meta": {"type_values": [["https://www.w3.org/2018/credentials#VerifiableCredential", KYC], ["Passport"]]},
            "claims": [{"path": ["credentialSubject", "country"], "values": ["US"]}],
        }
    ]
}


@pytest.fixture
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def test_credentials_of_three_formats_make_a_permit_until_one_is_revoked(sqlite_deployment: Deployment) -> None:
    market: Market = await open_market(sqlite_deployment)
    scene = market.scene
    wallet = Wallet(scene.deployment)
    index = scene.accreditor.next_index
    wallet.held = [
        await scene.kyc.issue_ldp_vc("kyc", wallet.keys),
        await scene.kyc.issue_jwt_vc("aml-screening", wallet.keys),
        await scene.accreditor.issue_ldp_vc("qualified-investor", wallet.keys),
    ]
    made = await scene.platform.ask(purpose="us.506c", formats=FORMATS, investor_ref="ada")
    assert (await wallet.answer(made)).status_code == 200
    found = await scene.platform.read(made["id"])
    assert (found["state"], failed(found["checks"])) == ("verified", set())
    assert {each["id"] for each in found["credentials"]} == {"kyc_di", "aml_jwt", "qualified_investor_di"}
    assert all("given_name" not in each["claims"] for each in found["credentials"])  # shown, but not asked for
    assert (await market.decide(market.buy("ada")))["outcome"] == "permit"
    await scene.accreditor.set_status(index, 1)
    denied = await market.decide(market.buy("ada"))
    assert (denied["outcome"], "CRED_REVOKED" in codes(denied)) == ("deny", True)


async def test_an_investor_stays_the_same_person_from_one_format_to_another(scene: Scene) -> None:
    for issue in (scene.kyc.issue, scene.kyc.issue_jwt_vc, scene.kyc.issue_ldp_vc):
        wallet = Wallet(scene.deployment)  # with keys of its own, so that the person alone says who it is
        wallet.held = [
            await issue("kyc", wallet.keys),
            await scene.kyc.issue("aml-screening", wallet.keys),
            await scene.accreditor.issue("qualified-investor", wallet.keys),
        ]
        made = await scene.platform.ask(purpose="us.506c", formats=FORMATS, investor_ref="ada")
        assert (await wallet.answer(made)).status_code == 200
    wallet.held[0] = await scene.kyc.issue_ldp_vc("kyc", wallet.keys, credentialSubject=SOMEBODY_ELSE | name(wallet))
    made = await scene.platform.ask(purpose="us.506c", formats=FORMATS, investor_ref="ada")
    assert (await wallet.answer(made)).status_code == 400


def name(wallet: Wallet) -> dict[str, Any]:
    return {"id": did_jwk_from_jwk(wallet.keys.jwk)}


async def test_a_purpose_may_ask_for_this_format_alone(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", formats=["ldp_vc"])
    request = await scene.wallet.open(made)
    assert {each["format"] for each in request["dcql_query"]["credentials"]} == {"ldp_vc"}
    assert request["dcql_query"]["credentials"][0]["meta"] == {"type_values": [[KYC]]}
    supported = request["client_metadata"]["vp_formats_supported"]["ldp_vc"]
    assert supported["proof_type_values"] == [PROOF_TYPE, *LEGACY_SUITES]
    assert "ecdsa-rdfc-2019" in supported["cryptosuite_values"]


async def test_linked_data_of_both_versions_makes_a_permit(sqlite_deployment: Deployment) -> None:
    market: Market = await open_market(sqlite_deployment)
    scene = market.scene
    wallet = Wallet(scene.deployment)
    wallet.held = [
        await scene.kyc.issue_ldp_vc("kyc", wallet.keys, algorithm=PROOF_TYPE_1),
        await scene.kyc.issue_ldp_vc("aml-screening", wallet.keys),
        await scene.accreditor.issue_ldp_vc("qualified-investor", wallet.keys, algorithm=PROOF_TYPE_1),
    ]
    made = await scene.platform.ask(purpose="us.506c", formats=["ldp_vc"], investor_ref="ada")
    assert (await wallet.answer(made)).status_code == 200
    found = await scene.platform.read(made["id"])
    assert (found["state"], failed(found["checks"])) == ("verified", set())
    assert (await market.decide(market.buy("ada")))["outcome"] == "permit"


@pytest.mark.skipif(find_spec("didkit") is None, reason="didkit has no build for Python 3.13 and later")
async def test_didkit_confirms_what_holders_present(scene: Scene) -> None:
    held = await scene.kyc.issue_ldp_vc("kyc", scene.wallet.keys, algorithm=PROOF_TYPE_1)
    made = await scene.platform.ask(dcql_query=QUERY)
    request = await scene.wallet.open(made)
    assert (await scene.wallet.send(request, {"identity": [present(scene, request, held)]})).status_code == 200
    assert scene.deployment.context.linked_data.pid is not None  # of a holder that is a did:jwk


def present(scene: Scene, request: dict[str, Any], held: dict[str, Any], **changes: Any) -> dict[str, Any]:
    values = {
        "audience": request["client_id"],
        "nonce": request["nonce"],
        "issued_at": scene.deployment.clock(),
        "sign": scene.wallet.keys.sign,
    }
    return present_ldp_vc(held, load_contexts(), **values | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"audience": "https://venue.example"}, {("audience", "audience_mismatch")}),
        ({"nonce": "other"}, {("nonce", "nonce_mismatch")}),
        ({"sign": new_key_pair().sign}, {("holder_binding", "holder_binding_invalid")}),
        ({"age": timedelta(hours=1)}, {("holder_binding", "holder_binding_stale")}),
    ],
)
async def test_a_presentation_is_made_for_this_request_by_its_holder(
    scene: Scene, changes: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    if "age" in changes:
        changes = {"issued_at": scene.deployment.clock() - changes["age"]}
    held = await scene.kyc.issue_ldp_vc("kyc", scene.wallet.keys)
    made = await scene.platform.ask(dcql_query=QUERY)
    request = await scene.wallet.open(made)
    sent = await scene.wallet.send(request, {"identity": [present(scene, request, held, **changes)]})
    assert sent.status_code == (400 if expected else 200)
    assert failed((await scene.platform.read(made["id"]))["checks"]) == expected


async def test_what_comes_back_answers_the_query(scene: Scene) -> None:
    kyc = await scene.kyc.issue_ldp_vc("kyc", scene.wallet.keys)
    aml = await scene.kyc.issue_ldp_vc("aml-screening", scene.wallet.keys)
    for shown in ([aml], [kyc, kyc]):
        made = await scene.platform.ask(dcql_query=QUERY)
        request = await scene.wallet.open(made)
        await scene.wallet.send(request, {"identity": [present(scene, request, held) for held in shown]})
        checks = (await scene.platform.read(made["id"]))["checks"]
        assert failed(checks) == {("query", "query_unsatisfied")}


async def test_a_credential_alone_or_changed_is_no_answer(scene: Scene) -> None:
    held = await scene.kyc.issue_ldp_vc("kyc", scene.wallet.keys)
    changed = held | {"credentialSubject": held["credentialSubject"] | {"country": "CA"}}
    for shown, expected in ((held, "holder_binding_missing"), (changed, "proof_invalid")):
        made = await scene.platform.ask(dcql_query=QUERY)
        request = await scene.wallet.open(made)
        vp = held if shown is held else present(scene, request, shown)
        await scene.wallet.send(request, {"identity": [vp]})
        assert {code for _, code in failed((await scene.platform.read(made["id"]))["checks"])} == {expected}


async def test_an_answer_that_waits_for_its_browser_keeps_its_form(scene: Scene) -> None:
    held = await scene.kyc.issue_ldp_vc("kyc", scene.wallet.keys)
    made = await scene.platform.ask(dcql_query=QUERY, same_device=True, redirect_uri="https://venue.example/back")
    request = await scene.wallet.open(made)
    sent = await scene.wallet.send(request, {"identity": [present(scene, request, held)]})
    assert sent.status_code == 200, sent.text
    code = sent.json()["redirect_uri"].partition("response_code=")[2]
    path = f"/v1/presentation-requests/{made['id']}/return"
    assert (await scene.platform.call("POST", path, {"response_code": code})).status_code == 200
    assert (await scene.platform.read(made["id"]))["state"] == "verified"
