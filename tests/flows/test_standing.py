"""Who an investor is taken for, what covers which purpose, and what withdraws it."""

from dataclasses import replace
from typing import Any

import pytest

from service.web.instants import format_instant
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.verifying_support import Platform, Scene, Wallet, build_scene, failed

KYC_QUERY = {
    "credentials": [
        {
            "id": "kyc",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]},
            "claims": [{"path": ["sub"]}],
        }
    ]
}
QUALIFIED_QUERY = {
    "credentials": [
        {
            "id": "q",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:goodstanding:vct:qualified-investor:1"]},
            "claims": [{"path": ["jurisdiction"]}, {"path": ["category"]}, {"path": ["attester_class"]}],
        }
    ]
}


@prepared
async def scene(deployment: Deployment) -> Scene:
    return await build_scene(deployment)


async def present(scene: Scene, wallet: Wallet, ref: str = "inv-1", **ask: Any) -> tuple[str, set[tuple[str, str]]]:
    """Let a wallet answer; returns the state and what failed."""
    made = await scene.platform.ask(**({"purpose": "us.506c"} | ask), investor_ref=ref)
    await wallet.answer(made)
    found = await scene.platform.read(made["id"])
    return found["state"], failed(found["checks"])


def coverage_of(standing: dict[str, Any], purpose: str) -> dict[str, Any]:
    return next(each for each in standing["purposes"] if each["purpose"] == purpose)


async def test_standing_names_facts_sources_and_coverage(scene: Scene) -> None:
    assert await present(scene, scene.wallet) == ("verified", set())
    standing = await scene.platform.read_standing("inv-1")
    fact = next(fact for fact in standing["facts"] if fact["fact"] == "category")
    assert (fact["value"], fact["issuer"], fact["status"]) == ("us.ai.income", scene.accreditor.identifier, "valid")
    assert (fact["as_of"], fact["expires_at"]) == ("2026-11-23T15:00:00Z", "2026-12-23T15:00:00Z")
    assert "Canary" not in str(standing)
    covered = coverage_of(standing, "us.506c")
    assert (covered["covered"], covered["until"], covered["missing"]) == (True, "2026-12-23T15:00:00Z", [])


async def test_coverage_names_what_is_missing(scene: Scene) -> None:
    await present(scene, scene.wallet, purpose="us.reg_s")
    standing = await scene.platform.read_standing("inv-1")
    assert coverage_of(standing, "us.reg_s")["covered"] is True
    gap = coverage_of(standing, "us.506c")
    assert (gap["covered"], gap["until"]) == (False, None)
    assert gap["missing"] == [{"credential_type": "qualified-investor", "reason": "missing"}]


@pytest.mark.parametrize(("value", "status"), [(1, "revoked"), (2, "suspended")])
async def test_a_withdrawn_credential_stays_and_covers_no_more(scene: Scene, value: int, status: str) -> None:
    await present(scene, scene.wallet)
    await scene.accreditor.set_status(0, value)
    standing = await scene.platform.read_standing("inv-1")
    held = next(each for each in standing["credentials"] if each["credential_type"] == "qualified-investor")
    assert (held["status"], held["usable"], held["fault"]) == (status, False, status)
    assert coverage_of(standing, "us.506c")["missing"] == [{"credential_type": "qualified-investor", "reason": status}]
    await scene.accreditor.set_status(0, 0)
    assert coverage_of(await scene.platform.read_standing("inv-1"), "us.506c")["covered"] is True


async def test_an_older_accreditation_that_holds_counts_as_it_does_at_the_gate(scene: Scene) -> None:
    await present(scene, scene.wallet)
    scene.deployment.clock.advance(days=1)
    scene.wallet.held[2] = await scene.accreditor.issue("qualified-investor", scene.wallet.keys)
    assert await present(scene, scene.wallet) == ("verified", set())
    await scene.accreditor.set_status(1, 1)
    standing = await scene.platform.read_standing("inv-1")
    covered = coverage_of(standing, "us.506c")
    assert (covered["covered"], covered["until"]) == (True, "2026-12-23T15:00:00Z")
    assert {fact["status"] for fact in standing["facts"]} == {"valid"}
    await scene.accreditor.set_status(0, 1)
    gap = coverage_of(await scene.platform.read_standing("inv-1"), "us.506c")
    assert gap["missing"] == [{"credential_type": "qualified-investor", "reason": "revoked"}]


async def test_what_became_of_the_newest_kyc_is_not_got_round_by_an_older(scene: Scene) -> None:
    await present(scene, scene.wallet)
    scene.deployment.clock.advance(days=1)
    scene.wallet.held[0] = await scene.kyc.issue("kyc", scene.wallet.keys)
    assert await present(scene, scene.wallet) == ("verified", set())
    await scene.kyc.set_status(2, 1)
    gap = coverage_of(await scene.platform.read_standing("inv-1"), "us.506c")
    assert gap["missing"] == [{"credential_type": "kyc", "reason": "revoked"}]


async def test_a_qualification_under_another_law_covers_nothing_here(scene: Scene) -> None:
    scene.wallet.held[2] = await scene.accreditor.issue(
        "qualified-investor", scene.wallet.keys, jurisdiction="SG", category="sg.ai.individual"
    )
    await present(scene, scene.wallet)
    gap = coverage_of(await scene.platform.read_standing("inv-1"), "us.506c")
    assert gap["missing"] == [{"credential_type": "qualified-investor", "reason": "missing"}]


async def test_trust_withdrawn_and_time_passed_take_coverage_away(scene: Scene) -> None:
    await present(scene, scene.wallet)
    await scene.platform.call("DELETE", "/v1/trusted-issuers/accreditor")
    gap = coverage_of(await scene.platform.read_standing("inv-1"), "us.506c")
    assert gap["missing"] == [{"credential_type": "qualified-investor", "reason": "issuer_untrusted"}]
    scene.deployment.clock.advance(days=31)
    reasons = {
        each["reason"] for each in coverage_of(await scene.platform.read_standing("inv-1"), "us.506c")["missing"]
    }
    assert reasons == {"expired"}


async def test_an_investor_stays_the_person_of_the_first_kyc(scene: Scene) -> None:
    assert await present(scene, scene.wallet) == ("verified", set())
    other = await scene.new_wallet(sub="subject-two")
    assert await present(scene, other) == ("rejected", {("holder", "CRED_HOLDER_MISMATCH")})
    assert await present(scene, other, "inv-2") == ("verified", set())
    new_phone = await scene.new_wallet()
    assert await present(scene, new_phone) == ("verified", set())


async def test_the_same_sub_of_another_issuer_is_another_person(scene: Scene) -> None:
    assert await present(scene, scene.wallet) == ("verified", set())
    await scene.platform.trust(scene.accreditor.identifier, "kyc", entry_id="second")
    wallet = Wallet(scene.deployment)
    wallet.held = [await scene.accreditor.issue("kyc", wallet.keys)]
    assert await present(scene, wallet, purpose=None, dcql_query=KYC_QUERY) == (
        "rejected",
        {("holder", "CRED_HOLDER_MISMATCH")},
    )


async def test_an_accreditation_alone_must_be_of_the_kycs_holder(scene: Scene) -> None:
    assert await present(scene, scene.wallet) == ("verified", set())
    asked = {"purpose": None, "dcql_query": QUALIFIED_QUERY}
    assert await present(scene, scene.wallet, **asked) == ("verified", set())
    assert await present(scene, await scene.new_wallet(), **asked) == (
        "rejected",
        {("holder", "CRED_HOLDER_MISMATCH")},
    )


async def test_an_accreditation_shown_first_binds_the_kyc_that_follows(scene: Scene) -> None:
    asked = {"purpose": None, "dcql_query": QUALIFIED_QUERY}
    assert await present(scene, scene.wallet, **asked) == ("verified", set())
    other = await scene.new_wallet(sub="subject-two")
    assert await present(scene, other) == ("rejected", {("holder", "CRED_HOLDER_MISMATCH")})
    assert await present(scene, scene.wallet) == ("verified", set())


async def test_a_rejected_presentation_binds_nobody(scene: Scene) -> None:
    impostor = await scene.new_wallet(sub="subject-two")
    await scene.kyc.set_status(2, 1)  # the impostor's kyc: the first two entries are the wallet's
    impostor.held[0] = await scene.kyc.issue(
        "kyc",
        impostor.keys,
        sub="subject-two",
        status={"status_list": {"uri": scene.kyc.list_uri, "idx": 2}},
    )
    assert await present(scene, impostor) == ("rejected", {("status", "credential_revoked")})
    assert await present(scene, scene.wallet) == ("verified", set())


async def test_shown_again_a_credential_adds_to_what_it_showed(scene: Scene) -> None:
    await present(scene, scene.wallet)
    await present(scene, scene.wallet, purpose=None, dcql_query=KYC_QUERY)
    standing = await scene.platform.read_standing("inv-1")
    kyc = [each for each in standing["credentials"] if each["credential_type"] == "kyc"]
    assert len(kyc) == 1
    assert kyc[0]["claims"]["country"] == "US"


async def test_a_credential_that_answers_two_queries_is_kept_once(scene: Scene) -> None:
    [query] = KYC_QUERY["credentials"]
    twice = {"credentials": [query, query | {"id": "again", "claims": [{"path": ["country"]}]}]}
    assert await present(scene, scene.wallet, purpose=None, dcql_query=twice) == ("verified", set())
    [kept] = (await scene.platform.read_standing("inv-1"))["credentials"]
    assert kept["claims"]["country"] == "US"


async def test_standing_belongs_to_one_platform(scene: Scene) -> None:
    await present(scene, scene.wallet)
    other = await scene.deployment.add_organization("other", "platform")
    headers = await scene.deployment.headers(other, "verifier")
    answer = await scene.deployment.http.get("/v1/investors/inv-1/standing", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_request_without_investor_keeps_nothing(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    assert (await scene.wallet.answer(made)).status_code == 200
    assert (await scene.platform.call("GET", "/v1/investors/inv-1/standing")).status_code == 404


async def test_what_a_screening_found_is_for_compliance(scene: Scene) -> None:
    await present(scene, scene.wallet)
    own = {"result": "potential", "screened_at": "2026-11-23T14:00:00Z", "lists": ["list@canary"]}
    await scene.platform.call("PUT", "/v1/investors/inv-1", {"screening": own})
    scene.deployment.clock.advance(seconds=1)
    at = format_instant(scene.deployment.clock())
    paths = ["investors/inv-1/standing", f"investors/inv-1/standing?as_of={at}"]
    for path in paths:
        full, less = [(await each.call("GET", f"/v1/{path}")).json() for each in (scene.platform, _others(scene))]
        assert _screened(full) != {}
        assert _screened(less) == {}
        assert less.get("screening") is None
        assert "aml-screening" not in {fact["credential_type"] for fact in less.get("facts", [])}
        assert full.get("purposes") == less.get("purposes")
    changed = await _others(scene).call("PUT", "/v1/investors/inv-1", {})
    assert changed.json()["screening"] is None
    assert (await scene.platform.read_standing("inv-1"))["screening"] == own


def _others(scene: Scene) -> Platform:
    return replace(scene.platform, scopes=("verifier",))


def _screened(answer: dict[str, Any]) -> Any:
    return next(each["claims"] for each in answer["credentials"] if "aml-screening" in each["vct"])
