"""From request to standing, and every way in which an answer can be wrong."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from service.credentials.presentation import present_sd_jwt
from service.credentials.sd_jwt import parse_sd_jwt
from service.keys.jwe import encrypt
from service.storage.tables import AuditEntry, StandingCredential
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Scene, Wallet, add_issuer, build_scene, failed, seconds


@prepared
async def scene(deployment: Deployment) -> Scene:
    return await build_scene(deployment)


async def rejected(scene: Scene, made: dict[str, Any], status: int) -> set[tuple[str, str]]:
    """Return why the request was rejected; the wallet must have been told so."""
    found = await scene.platform.read(made["id"])
    assert (status, found["state"]) == (400, "rejected")
    return failed(found["checks"])


@pytest.mark.parametrize("response_mode", ["direct_post", "direct_post.jwt"])
async def test_a_presentation_verifies_end_to_end(scene: Scene, response_mode: str) -> None:
    made = await scene.platform.ask(purpose="us.506c", investor_ref="inv-1", response_mode=response_mode)
    assert (await scene.platform.read(made["id"]))["state"] == "pending"
    answer = await scene.wallet.answer(made)
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["cache-control"] == "no-store"
    found = await scene.platform.read(made["id"])
    assert found["state"] == "verified"
    assert {check["outcome"] for check in found["checks"]} == {"pass"}
    assert [(each["id"], each["status"], each["issuer"]) for each in found["credentials"]] == [
        ("kyc", "valid", scene.kyc.identifier),
        ("aml", "valid", scene.kyc.identifier),
        ("qualified_investor", "valid", scene.accreditor.identifier),
    ]
    assert found["credentials"][0]["claims"]["sub"] == "subject-one"
    assert "given_name" not in found["credentials"][0]["claims"]


async def test_what_was_shown_without_being_asked_for_is_not_kept(scene: Scene) -> None:
    query = {
        "credentials": [
            {
                "id": "k",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]},
                "claims": [{"path": ["country"]}],
            }
        ]
    }
    made = await scene.platform.ask(dcql_query=query, investor_ref="inv-1")
    request = await scene.wallet.open(made)
    shown = present_sd_jwt(
        scene.wallet.held[0],
        names=["country", "given_name"],
        audience=request["client_id"],
        nonce=request["nonce"],
        issued_at=scene.deployment.clock(),
        sign=scene.wallet.keys.sign,
    )
    assert (await scene.wallet.send(request, {"k": [shown]})).status_code == 200
    assert (await scene.platform.read(made["id"]))["credentials"][0]["claims"] == {"country": "US"}
    assert [row.claims for row in await scene.platform.list_kept("inv-1")] == [{"country": "US"}]
    async with scene.deployment.context.database.reading() as session:
        records = [row.record for row in (await session.exec(select(AuditEntry))).all()]
    assert records
    assert not any("Canary" in record for record in records)


async def test_two_wallets_answer_one_request_and_one_wins(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", investor_ref="inv-1")
    wallets = [scene.wallet, await scene.new_wallet(sub="subject-two")]
    request = await scene.wallet.open(made)
    tokens = [wallet.present(request) for wallet in wallets for _ in range(3)]
    answers = await asyncio.gather(*(scene.wallet.send(request, token) for token in tokens))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]
    assert {answer.json().get("error") for answer in answers} == {None, "invalid_request"}
    rows = await scene.platform.list_kept("inv-1")
    assert len({row.holder_thumbprint for row in rows}) == 1
    assert len(rows) == 3


async def test_an_answer_cannot_be_replayed(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request)
    assert (await scene.wallet.send(request, token)).status_code == 200
    again = await scene.wallet.send(request, token)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_request")
    other = await scene.wallet.open(other_made := await scene.platform.ask(purpose="us.506c"))
    replay = await scene.wallet.send(other, token)
    assert ("nonce", "nonce_mismatch") in await rejected(scene, other_made, replay.status_code)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"nonce": "another"}, ("nonce", "nonce_mismatch")),
        ({"audience": "did:web:localhost%3A8000:organizations:platform"}, ("audience", "audience_mismatch")),
        ({"sign": new_key_pair().sign}, ("holder_binding", "holder_binding_invalid")),
        ({"transaction_data_hashes": ["x"]}, ("transaction_data", "transaction_data_mismatch")),
    ],
    ids=["nonce", "unprefixed audience", "borrowed credential", "unasked transaction data"],
)
async def test_a_key_binding_for_something_else_rejects(
    scene: Scene, changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    made = await scene.platform.ask(purpose="us.506c", investor_ref="inv-1")
    answer = await scene.wallet.answer(made, **changes)
    assert expected in await rejected(scene, made, answer.status_code)
    async with scene.deployment.context.database.reading() as session:
        assert (await session.exec(select(StandingCredential))).all() == []


async def test_a_stale_key_binding_rejects(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    old = scene.deployment.clock() - timedelta(days=365)
    answer = await scene.wallet.answer(made, issued_at=old)
    assert ("holder_binding", "holder_binding_stale") in await rejected(scene, made, answer.status_code)


@pytest.mark.parametrize("state", [None, "wrong", ""])
async def test_an_answer_without_the_state_leaves_the_request_open(scene: Scene, state: str | None) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    answer = await scene.wallet.send(request, scene.wallet.present(request), state=state)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await scene.platform.read(made["id"]))["state"] == "pending"
    assert (await scene.wallet.answer(made)).status_code == 200


@pytest.mark.parametrize(
    "vp_token", ["{", "[]", '{"kyc": "text"}', '{"kyc": [1]}', '{"kyc": []}', '{"kyc": [], "kyc": []}', "1e999"]
)
async def test_an_unreadable_answer_leaves_the_request_open(scene: Scene, vp_token: str) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    answer = await scene.wallet.send(await scene.wallet.open(made), vp_token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await scene.platform.read(made["id"]))["state"] == "pending"


@pytest.mark.parametrize("kept", [[], ["kyc"], ["kyc", "aml"]], ids=["empty map", "one", "two of three"])
async def test_a_subset_of_the_query_rejects(scene: Scene, kept: list[str]) -> None:
    made = await scene.platform.ask(purpose="us.506c", investor_ref="inv-1")
    request = await scene.wallet.open(made)
    token = {query_id: shown for query_id, shown in scene.wallet.present(request).items() if query_id in kept}
    answer = await scene.wallet.send(request, token)
    assert await rejected(scene, made, answer.status_code) == {("query", "query_unsatisfied")}


async def test_another_credential_under_the_asked_id_rejects(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request)
    answer = await scene.wallet.send(request, token | {"qualified_investor": token["kyc"]})
    assert ("query", "query_unsatisfied") in await rejected(scene, made, answer.status_code)


async def test_an_unasked_member_rejects(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request)
    answer = await scene.wallet.send(request, token | {"extra": token["kyc"]})
    assert await rejected(scene, made, answer.status_code) == {("query", "query_unsatisfied")}


async def test_a_missing_claim_rejects(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    bare = present_sd_jwt(
        scene.wallet.held[1],
        names=["screened_at"],
        audience=request["client_id"],
        nonce=request["nonce"],
        issued_at=scene.deployment.clock(),
        sign=scene.wallet.keys.sign,
    )
    answer = await scene.wallet.send(request, scene.wallet.present(request) | {"aml": [bare]})
    assert await rejected(scene, made, answer.status_code) == {("query", "query_unsatisfied")}


@pytest.mark.parametrize(
    ("query_id", "position", "hidden"),
    [("kyc", 0, "age_over_18"), ("aml", 1, "pep"), ("qualified_investor", 2, "scope")],
)
async def test_a_claim_whose_absence_would_help_cannot_be_hidden(
    scene: Scene, query_id: str, position: int, hidden: str
) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    query = next(each for each in request["dcql_query"]["credentials"] if each["id"] == query_id)
    asked = {claim["path"][0] for claim in query["claims"]} - {hidden}
    withheld = present_sd_jwt(
        scene.wallet.held[position],
        names=asked,
        audience=request["client_id"],
        nonce=request["nonce"],
        issued_at=scene.deployment.clock(),
        sign=scene.wallet.keys.sign,
    )
    answer = await scene.wallet.send(request, scene.wallet.present(request) | {query_id: [withheld]})
    assert await rejected(scene, made, answer.status_code) == {("query", "query_unsatisfied")}


async def test_a_wallet_may_show_every_claim_that_is_named(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    token = {
        query["id"]: [
            present_sd_jwt(
                scene.wallet.held[position],
                names={claim["path"][0] for claim in query["claims"]},
                audience=request["client_id"],
                nonce=request["nonce"],
                issued_at=scene.deployment.clock(),
                sign=scene.wallet.keys.sign,
            )
        ]
        for position, query in enumerate(request["dcql_query"]["credentials"])
    }
    answer = await scene.wallet.send(request, token)
    assert answer.status_code == 200, answer.text


async def test_a_tampered_disclosure_rejects(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request)
    parts = token["kyc"][0].split("~")
    foreign = parse_sd_jwt(await scene.kyc.issue("kyc", scene.wallet.keys)).disclosures[0]
    token["kyc"] = ["~".join([parts[0], foreign, *parts[2:]])]
    answer = await scene.wallet.send(request, token)
    assert ("disclosures", "disclosure_unreferenced") in await rejected(scene, made, answer.status_code)


async def test_disclosures_removed_after_signing_reject(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request)
    parts = token["qualified_investor"][0].split("~")
    token["qualified_investor"] = ["~".join([parts[0], *parts[2:]])]
    answer = await scene.wallet.send(request, token)
    assert ("holder_binding", "sd_hash_mismatch") in await rejected(scene, made, answer.status_code)


async def test_the_kyc_of_one_person_with_the_accreditation_of_another_rejects(scene: Scene) -> None:
    other = await scene.new_wallet(sub="subject-two")
    made = await scene.platform.ask(purpose="us.506c", investor_ref="inv-1")
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request) | {"qualified_investor": other.present(request)["qualified_investor"]}
    answer = await scene.wallet.send(request, token)
    assert await rejected(scene, made, answer.status_code) == {("holder", "CRED_HOLDER_MISMATCH")}


async def test_an_expired_credential_rejects(scene: Scene) -> None:
    scene.deployment.clock.advance(days=40)
    made = await scene.platform.ask(purpose="us.506c")
    answer = await scene.wallet.answer(made)
    assert ("validity", "credential_expired") in await rejected(scene, made, answer.status_code)
    assert (await scene.platform.read(made["id"]))["credentials"][0]["status"] == "expired"


async def test_a_credential_from_the_future_rejects(scene: Scene) -> None:
    later = seconds(scene.deployment.clock()) + 3600
    scene.wallet.held[0] = await scene.kyc.issue("kyc", scene.wallet.keys, nbf=later)
    made = await scene.platform.ask(purpose="us.506c")
    answer = await scene.wallet.answer(made)
    assert ("validity", "credential_not_yet_valid") in await rejected(scene, made, answer.status_code)


@pytest.mark.parametrize(
    ("value", "code"), [(1, "credential_revoked"), (2, "credential_suspended"), (3, "credential_status_unknown")]
)
async def test_a_withdrawn_credential_rejects(scene: Scene, value: int, code: str) -> None:
    await scene.kyc.set_status(0, value)
    made = await scene.platform.ask(purpose="us.506c")
    answer = await scene.wallet.answer(made)
    assert await rejected(scene, made, answer.status_code) == {("status", code)}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"uri": "{own}", "idx": 4096}, "status_index_invalid"),
        ({"uri": "{own}", "idx": 2**63}, "status_index_invalid"),
        ({"uri": "{own}", "idx": -1}, "status_reference_invalid"),
        ({"uri": "{own}", "idx": 1.0}, "status_reference_invalid"),
        ({"uri": "{other}", "idx": 1}, "status_issuer_mismatch"),
        ({"uri": "{own}x", "idx": 1}, "status_unavailable"),
    ],
    ids=["past the end", "2^63", "negative", "float", "list of another", "unknown list"],
)
async def test_a_wrong_status_reference_rejects(scene: Scene, status: dict[str, Any], code: str) -> None:
    uri = status["uri"].format(own=scene.kyc.list_uri, other=scene.accreditor.list_uri)
    reference = {"status_list": {"uri": uri, "idx": status["idx"]}}
    scene.wallet.held[0] = await scene.kyc.issue("kyc", scene.wallet.keys, status=reference)
    made = await scene.platform.ask(purpose="us.506c")
    answer = await scene.wallet.answer(made)
    assert ("status", code) in await rejected(scene, made, answer.status_code)


async def test_an_issuer_that_is_not_trusted_rejects(scene: Scene) -> None:
    stranger = await add_issuer(scene.deployment, "stranger")
    scene.wallet.held[0] = await stranger.issue("kyc", scene.wallet.keys)
    made = await scene.platform.ask(purpose="us.506c")
    answer = await scene.wallet.answer(made)
    assert await rejected(scene, made, answer.status_code) == {("issuer_trusted", "issuer_untrusted")}


@pytest.mark.parametrize(
    "terms",
    [
        {"credential_types": ["kyc"]},
        {"jurisdictions": ["SG"]},
        {"attester_class": "us_broker_dealer"},
        {"attester_class": None},
    ],
    ids=["type", "jurisdiction", "attester class", "no attester class"],
)
async def test_a_trusted_issuer_out_of_its_scope_rejects(scene: Scene, terms: dict[str, Any]) -> None:
    usual = {"attester_class": "us_cpa", "entry_id": "accreditor"}
    await scene.platform.trust(scene.accreditor.identifier, "qualified-investor", **usual | terms)
    made = await scene.platform.ask(purpose="us.506c")
    answer = await scene.wallet.answer(made)
    assert await rejected(scene, made, answer.status_code) == {("issuer_trusted", "issuer_out_of_scope")}


async def test_the_did_of_a_trusted_issuer_is_its_alias(scene: Scene) -> None:
    await scene.platform.trust(scene.kyc.member.organization.did, "kyc", "aml-screening", entry_id="kyc")
    made = await scene.platform.ask(purpose="us.506c")
    assert (await scene.wallet.answer(made)).status_code == 200


async def test_trust_withdrawn_after_the_request_binds(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    await scene.platform.call("DELETE", "/v1/trusted-issuers/kyc")
    answer = await scene.wallet.answer(made)
    assert ("issuer_trusted", "issuer_untrusted") in await rejected(scene, made, answer.status_code)


async def test_an_expired_request_takes_no_answer(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    request = await scene.wallet.open(made)
    scene.deployment.clock.advance(minutes=11)
    answer = await scene.wallet.send(request, scene.wallet.present(request))
    assert answer.status_code == 400
    assert (await scene.platform.read(made["id"]))["state"] == "expired"


async def test_a_wallet_may_refuse(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", response_mode="direct_post.jwt")
    request = await scene.wallet.open(made)
    form = {"error": "access_denied", "error_description": "<b>no</b>", "state": request["state"]}
    answer = await scene.deployment.http.post(request["response_uri"], data=form)
    assert (answer.status_code, answer.json()) == (200, {})
    found = await scene.platform.read(made["id"])
    assert found["state"] == "rejected"
    assert ("wallet", "access_denied") in failed(found["checks"])


@pytest.mark.parametrize("code", [5, None, ["access_denied"], {"code": "access_denied"}])
async def test_an_encrypted_refusal_whose_code_is_no_text_is_still_a_refusal(scene: Scene, code: Any) -> None:
    made = await scene.platform.ask(purpose="us.506c", response_mode="direct_post.jwt")
    request = await scene.wallet.open(made)
    [jwk] = request["client_metadata"]["jwks"]["keys"]
    plain = json.dumps({"error": code, "state": request["state"]}).encode()
    form = {"response": encrypt(plain, jwk, method="A128GCM")}
    assert (await scene.deployment.http.post(request["response_uri"], data=form)).status_code == 200
    assert ("wallet", "other") in failed((await scene.platform.read(made["id"]))["checks"])


async def test_transaction_data_is_agreed_to(scene: Scene) -> None:
    entry = {"type": "urn:goodstanding:txn:reg-s:1", "credential_ids": ["kyc"], "offshore": True}
    made = await scene.platform.ask(purpose="us.reg_s", transaction_data=[entry])
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request)
    token["aml"] = scene.wallet.present(request, transaction_data_hashes=None)["aml"]
    assert (await scene.wallet.send(request, token)).status_code == 200


async def test_swapped_transaction_data_reject(scene: Scene) -> None:
    entry = {"type": "urn:goodstanding:txn:reg-s:1", "credential_ids": ["kyc"], "offshore": True}
    made = await scene.platform.ask(purpose="us.reg_s", transaction_data=[entry])
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request | {"transaction_data": ["e30"]})
    token["aml"] = scene.wallet.present(request, transaction_data_hashes=None)["aml"]
    answer = await scene.wallet.send(request, token)
    assert ("transaction_data", "transaction_data_mismatch") in await rejected(scene, made, answer.status_code)


async def test_the_browser_comes_back_with_a_code_that_only_the_platform_can_compare(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c", redirect_uri="https://venue.example/back?case=7")
    answer = await scene.wallet.answer(made)
    code = (await scene.platform.read(made["id"]))["response_code"]
    assert len(code) >= 43
    assert answer.json() == {"redirect_uri": f"https://venue.example/back?case=7&response_code={code}"}


async def test_platforms_do_not_see_each_others_requests(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    other = await scene.deployment.add_organization("other", "platform")
    headers = await scene.deployment.headers(other, "verifier")
    theirs = await scene.deployment.http.get(f"/v1/presentation-requests/{made['id']}", headers=headers)
    unknown = await scene.deployment.http.get("/v1/presentation-requests/preq_x", headers=headers)
    assert (theirs.status_code, theirs.json() | {"instance": ""}) == (404, unknown.json() | {"instance": ""})


async def test_a_wallet_that_holds_only_a_kyc_cannot_answer(scene: Scene) -> None:
    wallet = Wallet(scene.deployment, held=[await scene.kyc.issue("kyc", scene.wallet.keys)])
    made = await scene.platform.ask(purpose="us.506c")
    request = await wallet.open(made)
    answer = await wallet.send(request, {"kyc": ["a.b.c~"], "aml": ["~"], "qualified_investor": ["x"]})
    assert {check for check, _ in await rejected(scene, made, answer.status_code)} == {"format"}
