"""What was known when: a question about the past gets the answer that was given then."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from service.storage.tables import Credential, CredentialCopy
from service.verifier.status_schedule import refresh_all_status_lists
from service.web.instants import format_instant
from tests.deployment import START, Deployment
from tests.flows.test_standing import KYC_QUERY, coverage_of, present
from tests.foreign_issuer import LIST_PATH, ForeignIssuer, running_platform
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import LIST_ID, Issuer, Platform, Scene, Wallet, build_scene

Moments = list[tuple[datetime, dict[str, Any]]]


@prepared
async def scene(deployment: Deployment) -> Scene:
    return await build_scene(deployment)


async def ask(platform: Platform, as_of: str | datetime, ref: str = "inv-1", **query: str) -> Any:
    moment = as_of if isinstance(as_of, str) else format_instant(as_of)
    rest = "".join(f"&{name}={value}" for name, value in query.items())
    return await platform.call("GET", f"/v1/investors/{ref}/standing?as_of={moment}{rest}")


async def note(platform: Platform, moments: Moments, **pause: float) -> None:
    """Note what is answered now, and let time pass."""
    moments.append((platform.deployment.clock(), await platform.read_standing("inv-1")))
    platform.deployment.clock.advance(**pause or {"minutes": 1})


async def expect_as_noted(platform: Platform, moments: Moments) -> None:
    """Each moment answers as it did, and so does the last instant before the next one's changes."""
    assert len({str(standing) for _, standing in moments}) == len(moments)
    for at, standing in moments:
        answer = await ask(platform, at)
        assert (answer.status_code, answer.json()) == (200, standing), at
        later = (await ask(platform, at + timedelta(seconds=1))).json()
        assert later | {"as_of": standing["as_of"]} == standing, at


async def put_on_file(issuer: Issuer, index: int) -> str:
    """Let the issuer know the credential at a place of its list, so that it can change its status."""
    deployment, credential_id = issuer.deployment, f"cred_{index}"
    row = Credential(
        org_id=issuer.member.org_id,
        id=credential_id,
        offer_id=f"offer_{index}",
        credential_configuration_id="qualified-investor",
        subject_ref="subject-one",
        created_at=deployment.clock(),
        expires_at=deployment.clock() + timedelta(days=30),
    )
    copy = CredentialCopy(
        org_id=row.org_id,
        credential_id=row.id,
        copy_number=0,
        status_list_id=LIST_ID,
        status_index=index,
        holder_thumbprint="",
        issuer_kid="",
        signed_at=deployment.clock(),
    )
    async with deployment.context.database.transaction() as session:
        session.add_all([row, copy])
    return credential_id


async def change_status(issuer: Issuer, credential_id: str, status: str) -> None:
    headers = await issuer.deployment.headers(issuer.member, "issuer")
    body = {"status": status, "reason": "a test"}
    path = f"/v1/credentials/{credential_id}/status"
    answer = await issuer.deployment.http.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_every_kind_of_change_leaves_the_past_as_it_was(scene: Scene) -> None:
    platform, moments = scene.platform, Moments()
    credential_id = await put_on_file(scene.accreditor, 0)
    screening = {"result": "clear", "screened_at": "2026-11-23T14:00:00Z", "lists": ["ofac-sdn@1"]}
    await platform.call("PUT", "/v1/investors/inv-1", {"screening": screening})
    await note(platform, moments)
    await present(scene, scene.wallet, purpose="us.reg_s")
    await note(platform, moments)
    await present(scene, scene.wallet)  # shows more of two of the same credentials
    await note(platform, moments)
    for status in ("suspended", "valid", "revoked"):
        await change_status(scene.accreditor, credential_id, status)
        await note(platform, moments)
    await platform.call("DELETE", "/v1/trusted-issuers/kyc")
    await note(platform, moments)
    await platform.trust(scene.kyc.identifier, "kyc", entry_id="kyc-2")
    await note(platform, moments)
    await platform.trust(scene.kyc.identifier, "kyc", "aml-screening", entry_id="kyc-2")
    await note(platform, moments)
    await platform.call("PUT", "/v1/investors/inv-1", {"frozen": True, "screening": {**screening, "result": "hit"}})
    await note(platform, moments, days=31)
    await note(platform, moments)  # all has expired
    await expect_as_noted(platform, moments)


async def test_coverage_is_that_of_then(scene: Scene) -> None:
    credential_id = await put_on_file(scene.accreditor, 0)
    await present(scene, scene.wallet)
    covered_at = scene.deployment.clock()
    scene.deployment.clock.advance(minutes=5)
    await change_status(scene.accreditor, credential_id, "revoked")
    assert coverage_of(await scene.platform.read_standing("inv-1"), "us.506c")["covered"] is False
    then = (await ask(scene.platform, covered_at)).json()
    assert coverage_of(then, "us.506c") == {
        "purpose": "us.506c",
        "covered": True,
        "until": "2026-12-23T15:00:00Z",
        "missing": [],
    }
    assert then["complete_since"] == "2026-11-23T15:00:00Z"
    assert then["versions"] == {"rules": "2026.11.1", "trust": 2}


async def test_a_clock_that_goes_back_does_not_reorder_the_record(scene: Scene) -> None:
    """What was recorded after it went back counts from the last instant that was on record."""
    clock, platform = scene.deployment.clock, scene.platform
    screening = {"result": "clear", "screened_at": "2026-11-23T14:00:00Z", "lists": ["ofac-sdn@1"]}
    await present(scene, scene.wallet)
    await platform.call("DELETE", "/v1/trusted-issuers/kyc")
    clock.advance(minutes=10)
    await platform.call("PUT", "/v1/investors/inv-1", {"screening": screening})
    await platform.trust("https://elsewhere.example", "kyc", entry_id="elsewhere")
    clock.advance(minutes=-5)
    await platform.call("PUT", "/v1/investors/inv-1", {"frozen": True})
    await platform.trust(scene.kyc.identifier, "kyc", entry_id="again")
    clock.advance(minutes=6)
    between, after = [(await ask(platform, at)).json() for at in (START + timedelta(minutes=7), clock())]
    assert (between["frozen"], between["screening"], between["versions"]["trust"]) == (False, None, 3)
    assert (after["frozen"], after["screening"], after["versions"]["trust"]) == (True, screening, 5)
    faults = [
        next(c["fault"] for c in each["credentials"] if c["credential_type"] == "kyc") for each in (between, after)
    ]
    assert faults == ["issuer_untrusted", None]


async def test_an_investor_of_nobody_or_of_another_or_of_later_is_unknown(scene: Scene) -> None:
    start = scene.deployment.clock()
    scene.deployment.clock.advance(minutes=1)
    await present(scene, scene.wallet)
    other = Platform(scene.deployment, await scene.deployment.add_organization("other", "platform"))
    answers = [
        await ask(scene.platform, start),
        await ask(scene.platform, scene.deployment.clock(), "nobody"),
        await ask(other, scene.deployment.clock()),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["detail"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("as_of", "code"),
    [
        ("2026-11-23T15:00:01Z", "as_of_in_future"),
        ("2026-11-24", "as_of_in_future"),
        ("9999-12-31", "as_of_in_future"),
        ("2026-11-23T15:00:00", "as_of_invalid"),
        ("2026-11-31", "as_of_invalid"),
        ("20261123", "as_of_invalid"),
        ("yesterday", "as_of_invalid"),
        ("0001-01-01T00:00:00%2B10:00", "as_of_invalid"),
    ],
)
async def test_instants_that_are_none_or_not_yet(scene: Scene, as_of: str, code: str) -> None:
    await present(scene, scene.wallet)
    answer = await ask(scene.platform, as_of)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_date_is_the_end_of_its_day_and_today_is_now(scene: Scene) -> None:
    await present(scene, scene.wallet)
    assert (await ask(scene.platform, "2026-11-23")).json()["as_of"] == "2026-11-23T15:00:00Z"
    scene.deployment.clock.advance(hours=8)
    await scene.platform.call("PUT", "/v1/investors/inv-1", {"frozen": True})
    scene.deployment.clock.advance(hours=8)
    await scene.platform.call("PUT", "/v1/investors/inv-1", {"frozen": False})
    answer = (await ask(scene.platform, "2026-11-23")).json()
    assert (answer["as_of"], answer["frozen"]) == ("2026-11-23T23:59:59.999999Z", True)
    assert (await ask(scene.platform, "2026-11-22")).status_code == 404


async def test_the_rules_are_those_of_then_or_those_that_are_named(scene: Scene) -> None:
    await present(scene, scene.wallet)
    named = (await ask(scene.platform, "2026-11-23", rules_version="2026.11.1%2BLW-US-INVEST")).json()
    assert named["versions"]["rules"] == "2026.11.1+LW-US-INVEST"
    answer = await ask(scene.platform, "2026-11-23", rules_version="2020.1.1")
    assert (answer.status_code, answer.json()["code"]) == (422, "rules_version_unknown")


async def test_a_refused_answer_leaves_a_record_too(scene: Scene) -> None:
    """The investor's row is made by the first answer, even by one that is rejected."""
    asked: dict[str, Any] = {"purpose": None, "dcql_query": KYC_QUERY}
    await present(scene, scene.wallet, **asked)
    stranger = await scene.new_wallet(sub="subject-two")
    assert (await present(scene, stranger, **asked))[0] == "rejected"
    assert (await ask(scene.platform, scene.deployment.clock())).json() == await scene.platform.read_standing("inv-1")


async def test_what_copies_of_foreign_lists_said(migrated_url: str, tmp_path: Path, abroad: ForeignIssuer) -> None:
    async with running_platform(migrated_url, tmp_path, abroad) as platform:
        deployment = platform.deployment
        await platform.trust(abroad.identifier, "kyc")
        wallet, moments = Wallet(deployment, new_key_pair()), Moments()
        wallet.held = [abroad.issue(wallet.keys, deployment.clock())]
        abroad.serve_list(deployment.clock())
        await wallet.answer(await platform.ask(dcql_query=KYC_QUERY, investor_ref="inv-1"))
        await note(platform, moments, minutes=11)
        for statuses in ({5: 2}, {5: 1}, {}):
            abroad.serve_list(deployment.clock(), statuses=statuses)
            await refresh_all_status_lists(deployment.context)
            await note(platform, moments, minutes=11)
        abroad.serve(LIST_PATH, "gone", status=500)
        await refresh_all_status_lists(deployment.context)
        await note(platform, moments, hours=25)
        await note(platform, moments)
        statuses = [standing["credentials"][0]["status"] for _, standing in moments]
        assert statuses == ["valid", "suspended", "revoked", "valid", "valid", "unknown"]
        await expect_as_noted(platform, moments)
