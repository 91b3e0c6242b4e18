"""``/v1/verify``: each check by name, and that an unauthentic credential is an answer and not an error."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.presentation import present_sd_jwt
from service.web.signing import ISSUER, get_active_key, rotate_signing_key
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Platform, Scene, build_scene, failed, seconds

EXPECTED = {"nonce": "n-0S6_WzA2Mj", "audience": "https://venue.example"}


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


def present(scene: Scene, **changes: Any) -> str:
    values: dict[str, Any] = {
        "names": ["country"],
        "issued_at": scene.deployment.clock(),
        "sign": scene.wallet.keys.sign,
        **EXPECTED,
        **changes,
    }
    return present_sd_jwt(scene.wallet.held[0], **values)


async def test_a_sound_credential_passes_every_check(scene: Scene) -> None:
    verdict = await scene.platform.verify(credential=scene.wallet.held[0])
    assert (verdict["valid"], verdict["outcome"], verdict["format"]) == (True, "verified", "dc+sd-jwt")
    assert (verdict["issuer"], verdict["status"]) == (scene.kyc.identifier, "valid")
    assert verdict["claims"]["given_name"] == "Canary"
    assert verdict["holder"].startswith("urn:ietf:params:oauth:jwk-thumbprint:sha-256:")
    assert [(check["check"], check["outcome"]) for check in verdict["checks"]] == [
        (name, "pass")
        for name in ("format", "issuer", "signature", "disclosures", "validity", "issuer_trusted", "status")
    ]


async def test_a_presentation_is_checked_against_what_is_expected(scene: Scene) -> None:
    verdict = await scene.platform.verify(presentation=present(scene), expected=EXPECTED)
    assert (verdict["valid"], failed(verdict["checks"])) == (True, set())
    assert verdict["claims"]["country"] == "US"
    assert "given_name" not in verdict["claims"]


@pytest.mark.parametrize(
    ("changes", "check", "code"),
    [
        ({"nonce": "other"}, "nonce", "nonce_mismatch"),
        ({"audience": "https://elsewhere.example"}, "audience", "audience_mismatch"),
        ({"sign": new_key_pair().sign}, "holder_binding", "holder_binding_invalid"),
    ],
)
async def test_a_presentation_for_something_else_fails(
    scene: Scene, changes: dict[str, Any], check: str, code: str
) -> None:
    verdict = await scene.platform.verify(presentation=present(scene, **changes), expected=EXPECTED)
    assert (verdict["valid"], verdict["outcome"], verdict["claims"]) == (False, "rejected", {})
    assert failed(verdict["checks"]) == {(check, code)}
    later = [found for found in verdict["checks"] if found["check"] in ("issuer_trusted", "status")]
    assert [(found["outcome"], found["code"]) for found in later] == [("undetermined", "not_checked")] * 2


async def test_a_credential_without_key_binding_is_no_presentation(scene: Scene) -> None:
    verdict = await scene.platform.verify(presentation=scene.wallet.held[0], expected=EXPECTED)
    assert failed(verdict["checks"]) == {("holder_binding", "holder_binding_missing")}


async def test_a_signature_of_somebody_else_fails(scene: Scene) -> None:
    head, *rest = scene.wallet.held[0].split("~")
    signed = head.rpartition(".")[0]
    other = (await scene.kyc.issue("kyc", scene.wallet.keys)).split("~")[0].rpartition(".")[2]
    verdict = await scene.platform.verify(credential="~".join([f"{signed}.{other}", *rest]))
    assert failed(verdict["checks"]) == {("signature", "invalid_signature")}


@pytest.mark.parametrize(
    ("changes", "check", "code"),
    [
        ({"exp": 1}, "validity", "credential_expired"),
        ({"exp": None}, "validity", "credential_expiry_missing"),
        ({"exp": "soon"}, "format", "credential_claims_invalid"),
        ({"nbf": 4_000_000_000}, "validity", "credential_not_yet_valid"),
        ({"cnf": {"kid": "x"}}, "holder_binding", "holder_key_invalid"),
        ({"cnf": {"jwk": {}}}, "holder_binding", "holder_key_invalid"),
        ({"cnf": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}}, "holder_binding", "holder_key_invalid"),
        ({"status": {"other": {}}}, "status", "status_reference_invalid"),
        ({"iss": "http://localhost:8000/issuers/nobody"}, "issuer", "issuer_key_unknown"),
        ({"iss": "http://localhost:8000/issuers/accreditor"}, "issuer", "issuer_key_unknown"),
        ({"iss": "https://localhost:8000/issuers/kyc"}, "issuer_trusted", "issuer_untrusted"),
        ({"iss": "http://localhost:8000/issuers/platform"}, "issuer", "issuer_key_unknown"),
        ({"iss": "did:key:zNonsense"}, "issuer", "issuer_key_unknown"),
        ({"iss": "did:ion:abc"}, "issuer_trusted", "issuer_untrusted"),
        ({"iss": "https://[::1"}, "issuer_trusted", "issuer_untrusted"),
    ],
)
async def test_each_fault_has_its_check_and_code(scene: Scene, changes: dict[str, Any], check: str, code: str) -> None:
    verdict = await scene.platform.verify(credential=await scene.kyc.issue("kyc", scene.wallet.keys, **changes))
    assert (verdict["valid"], verdict["outcome"]) == (False, "rejected")
    assert failed(verdict["checks"]) == {(check, code)}


async def test_a_holder_key_that_shows_its_private_half_binds_nothing(scene: Scene) -> None:
    told = {"jwk": {**scene.wallet.keys.jwk, "d": "AQ"}}
    verdict = await scene.platform.verify(credential=await scene.kyc.issue("kyc", scene.wallet.keys, cnf=told))
    assert failed(verdict["checks"]) == {("holder_binding", "holder_key_invalid")}


async def test_status_is_named(scene: Scene) -> None:
    held = scene.wallet.held[0]
    for value, name in ((1, "revoked"), (2, "suspended"), (0, "valid")):
        await scene.kyc.set_status(0, value)
        assert (await scene.platform.verify(credential=held))["status"] == name
    without = await scene.kyc.issue("kyc", scene.wallet.keys, status=None)
    assert (await scene.platform.verify(credential=without))["status"] == "none"
    scene.deployment.clock.advance(days=40)
    assert (await scene.platform.verify(credential=held))["status"] == "expired"


async def test_each_change_binds_whoever_asks_next(deployment: Deployment) -> None:
    scene = await build_scene(deployment)
    platform, held, context = scene.platform, scene.wallet.held[0], deployment.context
    other = Platform(deployment, await deployment.add_organization("other-venue", "platform"))

    async def ask() -> set[str]:
        answers = await asyncio.gather(*(platform.verify(credential=held) for _ in range(6)))
        strangers = await asyncio.gather(*(other.verify(credential=held) for _ in range(2)))
        assert {each["outcome"] for each in strangers} == {"rejected"}  # what one platform trusts is nobody else's
        return {each["outcome"] for each in answers}

    assert await ask() == {"verified"}
    for value, outcome in ((1, "rejected"), (0, "verified"), (2, "rejected"), (0, "verified")):
        await scene.kyc.set_status(0, value)
        assert await ask() == {outcome}
    await platform.trust(scene.kyc.identifier, "aml-screening", entry_id="kyc")
    assert await ask() == {"rejected"}
    await platform.trust(scene.kyc.identifier, "kyc", entry_id="kyc")
    assert await ask() == {"verified"}
    assert (await platform.call("DELETE", "/v1/trusted-issuers/kyc")).status_code == 204
    assert await ask() == {"rejected"}
    await platform.trust(scene.kyc.identifier, "kyc", entry_id="kyc")
    async with context.database.transaction() as session:
        key = await get_active_key(session, scene.kyc.member.org_id, ISSUER)
        key.published_until = deployment.clock()
    assert await ask() == {"rejected"}


async def test_an_attester_class_that_is_no_text_is_not_overlooked(scene: Scene) -> None:
    credential = await scene.accreditor.issue("qualified-investor", scene.wallet.keys, attester_class=["us_cpa"])
    assert failed((await scene.platform.verify(credential=credential))["checks"]) == {
        ("issuer_trusted", "issuer_out_of_scope")
    }


async def test_an_issuer_of_some_countries_vouches_for_nobody_who_hides_theirs(scene: Scene) -> None:
    await scene.platform.trust(scene.kyc.identifier, "kyc", entry_id="kyc", jurisdictions=["US"])
    shown = await scene.platform.verify(presentation=present(scene), expected=EXPECTED)
    hidden = await scene.platform.verify(presentation=present(scene, names=["sub"]), expected=EXPECTED)
    assert (shown["outcome"], hidden["outcome"]) == ("verified", "rejected")
    assert failed(hidden["checks"]) == {("issuer_trusted", "issuer_out_of_scope")}


async def test_a_retired_key_verifies_what_it_signed_before(scene: Scene) -> None:
    clock, context = scene.deployment.clock, scene.deployment.context
    clock.advance(hours=1)
    later = await scene.kyc.issue("kyc", scene.wallet.keys, iat=seconds(clock() + timedelta(hours=1)))
    backdated = await scene.kyc.issue("kyc", scene.wallet.keys, iat=seconds(clock() - timedelta(hours=1)))
    await scene.kyc.record(scene.wallet.held[0])
    async with context.database.transaction() as session:
        await rotate_signing_key(session, context.signer, org_id=scene.kyc.member.org_id, purpose=ISSUER, now=clock())
    clock.advance(hours=2)
    assert (await scene.platform.verify(credential=scene.wallet.held[0]))["valid"] is True
    await scene.kyc.record(later)  # too late
    for document in (later, backdated):
        verdict = await scene.platform.verify(credential=document)
        assert failed(verdict["checks"]) == {("issuer", "issuer_key_retired")}


async def test_a_retired_key_signs_nothing_that_looks_older(scene: Scene) -> None:
    """As test_a_retired_key_verifies_what_it_signed_before, with dates as coarse as our own credentials have."""
    clock, context = scene.deployment.clock, scene.deployment.context
    midnight = clock().replace(hour=0)
    forged = await scene.kyc.issue("kyc", scene.wallet.keys, iat=seconds(midnight))
    async with context.database.transaction() as session:
        await rotate_signing_key(session, context.signer, org_id=scene.kyc.member.org_id, purpose=ISSUER, now=clock())
    clock.advance(minutes=2)
    await scene.kyc.record(forged)
    assert failed((await scene.platform.verify(credential=forged))["checks"]) == {("issuer", "issuer_key_retired")}


async def test_a_key_signs_nothing_older_than_itself(scene: Scene) -> None:
    older = await scene.kyc.issue("kyc", scene.wallet.keys, iat=seconds(scene.deployment.clock() - timedelta(days=2)))
    verdict = await scene.platform.verify(credential=older)
    assert failed(verdict["checks"]) == {("issuer", "issuer_key_backdated")}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("garbage", "unsupported_format"),
        ("", "unsupported_format"),
        ("a.b.c~", "sd_jwt_malformed"),
        ("~~", "sd_jwt_malformed"),
        ("\N{GRINNING FACE}~", "sd_jwt_malformed"),
        ({"@context": []}, "unsupported_format"),
    ],
)
async def test_what_is_no_credential_is_rejected_and_not_an_error(scene: Scene, document: Any, code: str) -> None:
    verdict = await scene.platform.verify(credential=document)
    assert (verdict["valid"], verdict["format"], verdict["status"]) == (False, None, "unknown")
    assert failed(verdict["checks"]) == {("format", code)}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"credential": "x~", "presentation": "x~", "expected": EXPECTED},
        {"presentation": "x~"},
        {"credential": "x~", "expected": EXPECTED},
        {"credential": 7},
        {"credential": "x~", "more": 1},
        {"presentation": "x~", "expected": {"nonce": "n"}},
    ],
)
async def test_an_unreadable_request_is_an_error(scene: Scene, body: dict[str, Any]) -> None:
    answer = await scene.platform.call("POST", "/v1/verify", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert "x~" not in answer.text


async def test_a_batch_answers_in_order_with_problems_in_place(scene: Scene) -> None:
    items = [{"credential": scene.wallet.held[0]}, {"credential": 7}, {"credential": "x"}]
    answer = await scene.platform.call("POST", "/v1/verify/batch", {"verifications": items})
    good, unreadable, bad = answer.json()["data"]
    assert (answer.status_code, good["valid"], bad["valid"]) == (200, True, False)
    assert (unreadable["status"], unreadable["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("count", [0, 501])
async def test_a_batch_has_1_to_500_items(scene: Scene, count: int) -> None:
    body = {"verifications": [{"credential": "x"}] * count}
    assert (await scene.platform.call("POST", "/v1/verify/batch", body)).status_code == 422


async def test_what_is_wrong_with_a_body_is_said_in_plain_words(scene: Scene) -> None:
    answer = await scene.platform.call("POST", "/v1/verify", {"credential": "a", "presentation": "b"})
    assert answer.json()["errors"] == [
        {"path": "/body", "detail": "exactly one of credential and presentation is needed"}
    ]
