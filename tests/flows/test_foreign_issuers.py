"""Issuers outside the deployment: whom we ask, what we believe, and what holds when they fall silent."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.credentials.sd_jwt import disclose
from service.storage.tables import CachedDocument, HeldStatusList
from service.storage.trust import hold_max_status_age
from service.verifier.status_schedule import refresh_all_status_lists
from tests.foreign_issuer import LIST_PATH, METADATA_PATH, ForeignIssuer, running_platform
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import CLAIMS, Platform, Wallet, failed

HOLDER = new_key_pair()


@pytest.fixture
async def platform(migrated_url: str, tmp_path: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    async with running_platform(migrated_url, tmp_path, abroad) as platform:
        abroad.serve_list(platform.deployment.clock())
        await platform.trust(abroad.identifier, "kyc")
        yield platform


async def verify(platform: Platform, abroad: ForeignIssuer, **changes: Any) -> dict[str, Any]:
    return await platform.verify(credential=abroad.issue(HOLDER, platform.deployment.clock(), **changes))


async def test_a_list_of_trusted_issuers_stays_while_a_copy_is_kept_by_it(
    platform: Platform, abroad: ForeignIssuer
) -> None:
    async with platform.deployment.context.database.transaction() as session:
        assert await hold_max_status_age(session, platform.member.org_id, abroad.identifier) is None
        change = asyncio.create_task(platform.trust(abroad.identifier, "kyc", max_status_age=60))
        assert not (await asyncio.wait({change}, timeout=0.3))[0]
    assert (await change).status_code == 200


async def test_keys_come_from_the_inserted_well_known_path_and_are_kept_a_while(
    platform: Platform, abroad: ForeignIssuer
) -> None:
    assert (await verify(platform, abroad))["outcome"] == "verified"
    assert (await verify(platform, abroad))["outcome"] == "verified"
    assert abroad.asked == [METADATA_PATH, LIST_PATH]
    platform.deployment.clock.advance(minutes=6)
    assert (await verify(platform, abroad))["outcome"] == "verified"
    assert abroad.asked[2:] == [METADATA_PATH]


QUALIFIED = {"vct": CREDENTIAL_TYPES["qualified-investor"].vct, **CLAIMS["qualified-investor"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"country": ["US"]},
        {"country": "UK"},
        {"us_person": "false"},
        {"verified_on": "2026-11-25"},
        {"legal_name": "Both Ltd"},
        {**QUALIFIED, "category": "hk.pi.individual"},
        {**QUALIFIED, "category": "us.ai.nonsense"},
        {**QUALIFIED, "category": "us.ai.income\n"},
        {**QUALIFIED, "scope": ["other-issuer"]},
        {**QUALIFIED, "scope": None},
        {**QUALIFIED, "tax_years": [0]},
    ],
    ids=lambda changes: next(f"{name}-{value!r}" for name, value in reversed(changes.items())),
)
async def test_what_our_types_cannot_say_is_refused(
    platform: Platform, abroad: ForeignIssuer, changes: dict[str, Any]
) -> None:
    await platform.trust(abroad.identifier, "kyc", "qualified-investor", attester_class="us_cpa")
    verdict = await verify(platform, abroad, **changes)
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {("format", "credential_claims_invalid")})


@pytest.mark.parametrize(
    "changes", [{"verified_on": "2026-11-24"}, {"more": 1}, QUALIFIED], ids=["day", "more", "type"]
)
async def test_what_they_can_say_and_what_we_do_not_know_is_taken(
    platform: Platform, abroad: ForeignIssuer, changes: dict[str, Any]
) -> None:
    await platform.trust(abroad.identifier, "kyc", "qualified-investor", attester_class="us_cpa")
    assert (await verify(platform, abroad, **changes))["outcome"] == "verified"


async def test_a_category_is_taken_without_its_hidden_jurisdiction(platform: Platform, abroad: ForeignIssuer) -> None:
    await platform.trust(abroad.identifier, "kyc", "qualified-investor", attester_class="us_cpa")
    whole = abroad.issue(HOLDER, platform.deployment.clock(), **QUALIFIED)
    verdict = await platform.verify(credential=disclose(whole, ["category"]))
    assert verdict["outcome"] == "verified", verdict


async def test_an_issuer_that_is_not_trusted_is_never_asked(platform: Platform, abroad: ForeignIssuer) -> None:
    await platform.call("DELETE", "/v1/trusted-issuers/one")
    verdict = await verify(platform, abroad)
    assert verdict["outcome"] == "rejected"
    assert failed(verdict["checks"]) == {("issuer_trusted", "issuer_untrusted")}
    assert abroad.asked == []


@pytest.mark.parametrize("make_did", [did_key_from_jwk, did_jwk_from_jwk])
async def test_a_did_that_holds_its_key_needs_no_fetch(
    platform: Platform, abroad: ForeignIssuer, make_did: Any
) -> None:
    did = make_did(abroad.keys.jwk)
    verdict = await verify(platform, abroad, iss=did, kid=None)
    assert failed(verdict["checks"]) == {("issuer_trusted", "issuer_untrusted"), ("status", "status_unavailable")}
    assert abroad.asked == []
    await platform.trust(did, "kyc")
    assert failed((await verify(platform, abroad, iss=did, kid=None))["checks"]) == {("status", "status_unavailable")}


async def test_did_web_documents_must_be_about_the_issuer(platform: Platform, abroad: ForeignIssuer) -> None:
    did = f"did:web:localhost%3A{abroad.port}:issuers:abroad"
    document = {
        "id": did,
        "verificationMethod": [{"id": f"{did}#k1", "controller": did, "publicKeyJwk": abroad.keys.jwk}],
        "assertionMethod": [f"{did}#k1"],
    }
    abroad.serve("/issuers/abroad/did.json", document | {"id": "did:web:example.com"})
    verdict = await verify(platform, abroad, iss=did, kid=f"{did}#k1")
    assert failed(verdict["checks"]) == {("issuer", "issuer_key_unknown")}
    abroad.serve("/issuers/abroad/did.json", document)
    abroad.serve_list(platform.deployment.clock(), kid=f"{did}#k1")
    assert (await verify(platform, abroad, iss=did, kid=f"{did}#k1"))["outcome"] == "verified"


@pytest.mark.parametrize("keys", [5, [], {}, [{"kid": "k1"}], None])
async def test_a_did_document_is_not_taken_for_a_key_set(platform: Platform, abroad: ForeignIssuer, keys: Any) -> None:
    did = f"did:web:localhost%3A{abroad.port}:issuers:abroad"
    abroad.serve("/issuers/abroad/did.json", {"id": did, "keys": keys})
    for _ in range(2):  # as fetched, and as kept
        verdict = await verify(platform, abroad, iss=did)
        assert failed(verdict["checks"]) == {("issuer", "issuer_key_unknown")}


async def test_a_did_documents_own_keys_do_not_verify(platform: Platform, abroad: ForeignIssuer) -> None:
    did = f"did:web:localhost%3A{abroad.port}:issuers:abroad"
    abroad.serve("/issuers/abroad/did.json", {"id": did, "keys": [{**abroad.keys.jwk, "kid": "k1"}]})
    assert failed((await verify(platform, abroad, iss=did))["checks"]) == {("issuer", "issuer_key_unknown")}


async def test_trust_withdrawn_while_keys_are_fetched_is_withdrawn(platform: Platform, abroad: ForeignIssuer) -> None:
    credential = abroad.issue(HOLDER, platform.deployment.clock(), status=None)
    abroad.meanwhile[METADATA_PATH] = partial(platform.call, "DELETE", "/v1/trusted-issuers/one")
    verdict = await platform.verify(credential=credential)
    assert abroad.meanwhile == {}
    assert failed(verdict["checks"]) == {("issuer_trusted", "issuer_untrusted")}


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://localhost/other"},
        {"jwks_uri": "http://localhost/jwks"},
        {"jwks": None},
        {"jwks": {"keys": "none"}},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": [{"kid": "k1", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}},
    ],
    ids=["another issuer", "jwks and jwks_uri", "neither", "no list", "no key", "point off the curve"],
)
async def test_metadata_that_do_not_hold_together_fail(
    platform: Platform, abroad: ForeignIssuer, changes: dict[str, Any]
) -> None:
    abroad.serve_metadata(**changes)
    verdict = await verify(platform, abroad)
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {("issuer", "issuer_key_unknown")})


async def test_jwks_uri_is_followed(platform: Platform, abroad: ForeignIssuer) -> None:
    abroad.serve_metadata(jwks=None, jwks_uri=f"{abroad.origin}/jwks")
    abroad.serve("/jwks", {"keys": [{**abroad.keys.jwk, "kid": "k1"}]})
    assert (await verify(platform, abroad))["outcome"] == "verified"


async def test_an_issuer_that_does_not_answer_leaves_it_undetermined(platform: Platform, abroad: ForeignIssuer) -> None:
    abroad.serve(METADATA_PATH, {}, status=500)
    verdict = await verify(platform, abroad)
    assert (verdict["valid"], verdict["outcome"]) == (False, "undetermined")
    assert failed(verdict["checks"]) == {("issuer", "issuer_unavailable")}


async def test_a_rotated_key_is_found_and_the_old_one_forgotten(platform: Platform, abroad: ForeignIssuer) -> None:
    assert (await verify(platform, abroad))["outcome"] == "verified"
    abroad.serve_metadata("k2")
    assert failed((await verify(platform, abroad, kid="k2"))["checks"]) == {("issuer", "issuer_key_unknown")}
    platform.deployment.clock.advance(seconds=31)
    assert (await verify(platform, abroad, kid="k2"))["outcome"] == "verified"
    assert failed((await verify(platform, abroad, kid="k1"))["checks"]) == {("issuer", "issuer_key_unknown")}


async def test_a_key_that_came_later_signs_nothing_older(platform: Platform, abroad: ForeignIssuer) -> None:
    """Threats, row 37: first seen, and last looked for in vain."""
    clock = platform.deployment.clock
    assert (await verify(platform, abroad))["outcome"] == "verified"
    old = abroad.issue(HOLDER, clock(), exp=int((clock() + timedelta(days=30)).timestamp()))
    looked_at = clock()
    clock.advance(days=3)
    first, abroad.keys = abroad.keys, new_key_pair()
    abroad.serve_metadata(jwks={"keys": [{**first.jwk, "kid": "k1"}, {**abroad.keys.jwk, "kid": "k2"}]})
    abroad.serve_list(clock(), kid="k2")
    assert (await verify(platform, abroad, kid="k2"))["outcome"] == "verified"
    assert (await platform.verify(credential=old))["outcome"] == "verified"
    for age, code in ((timedelta(hours=23), None), (timedelta(hours=25), "issuer_key_backdated")):
        checks = (await verify(platform, abroad, kid="k2", iat=int((looked_at - age).timestamp())))["checks"]
        assert failed(checks) == (set() if code is None else {("issuer", code)})


async def test_a_key_that_the_issuer_withdrew_verifies_nothing_more(platform: Platform, abroad: ForeignIssuer) -> None:
    """Not even what claims to be older: whoever stole the key can write any date."""
    clock = platform.deployment.clock
    assert (await verify(platform, abroad))["outcome"] == "verified"
    abroad.serve_metadata("k2")
    clock.advance(minutes=6)
    for iat in (clock(), clock() - timedelta(hours=1)):
        verdict = await verify(platform, abroad, iat=int(iat.timestamp()))
        assert failed(verdict["checks"]) == {("issuer", "issuer_key_unknown")}


@pytest.mark.parametrize(
    "period",
    [{"exp": 1}, {"nbf": 4_000_000_000}, {"revoked": {"revoked_at": 1}}, {"exp": "never"}, {"nbf": True}],
    ids=str,
)
async def test_a_key_outside_its_period_is_none(
    platform: Platform, abroad: ForeignIssuer, period: dict[str, Any]
) -> None:
    abroad.serve_metadata(jwks={"keys": [{**abroad.keys.jwk, "kid": "k1", **period}]})
    assert failed((await verify(platform, abroad))["checks"]) == {("issuer", "issuer_key_unknown")}


@pytest.mark.parametrize(
    ("period", "outcome"),
    [
        ({"expires": "2026-11-23T14:59:59Z"}, "rejected"),
        ({"revoked": "2026-11-23T15:00:00Z"}, "rejected"),
        ({"expires": "2026-11-23T16:00:00"}, "rejected"),
        ({"expires": None}, "rejected"),
        ({"expires": "2026-11-23T15:00:01Z"}, "verified"),
    ],
    ids=str,
)
async def test_a_key_of_a_did_ends_when_the_document_says(
    platform: Platform, abroad: ForeignIssuer, period: dict[str, Any], outcome: str
) -> None:
    did = f"did:web:localhost%3A{abroad.port}:issuers:abroad"
    method = {"id": f"{did}#k1", "controller": did, "publicKeyJwk": abroad.keys.jwk, **period}
    abroad.serve("/issuers/abroad/did.json", {"id": did, "assertionMethod": [method]})
    abroad.serve_list(platform.deployment.clock(), kid=f"{did}#k1")
    assert (await verify(platform, abroad, iss=did, kid=f"{did}#k1"))["outcome"] == outcome


async def test_kid_is_an_opaque_name(platform: Platform, abroad: ForeignIssuer) -> None:
    for kid in ("../../etc/passwd", "' OR 1=1 --", "K1", "k1 ", ""):
        assert failed((await verify(platform, abroad, kid=kid))["checks"]) == {("issuer", "issuer_key_unknown")}


@pytest.mark.parametrize(
    "changes",
    [{"keys": new_key_pair()}, {"sub": "http://localhost/lists/2"}, {"kid": "k9"}, {"status_list": {"bits": 2}}],
    ids=["another signer", "another list", "unknown key", "no list"],
)
async def test_a_list_that_is_not_the_issuers_says_nothing(
    platform: Platform, abroad: ForeignIssuer, changes: dict[str, Any]
) -> None:
    abroad.serve_list(platform.deployment.clock(), **changes)
    verdict = await verify(platform, abroad)
    assert (verdict["outcome"], verdict["status"]) == ("undetermined", "unknown")
    assert failed(verdict["checks"]) == {("status", "status_unavailable")}


async def test_an_older_list_does_not_undo_a_revocation(platform: Platform, abroad: ForeignIssuer) -> None:
    clock = platform.deployment.clock
    start = clock()
    clock.advance(hours=1)
    abroad.serve_list(clock(), statuses={5: 1})
    assert (await verify(platform, abroad))["status"] == "revoked"
    clock.advance(hours=1)
    abroad.serve_list(start)
    verdict = await verify(platform, abroad)
    assert (verdict["status"], verdict["outcome"]) == ("revoked", "rejected")


async def test_a_silent_list_is_stale_then_undetermined(platform: Platform, abroad: ForeignIssuer) -> None:
    clock = platform.deployment.clock
    assert (await verify(platform, abroad))["outcome"] == "verified"
    del abroad.pages[LIST_PATH]
    clock.advance(hours=23, minutes=59)
    verdict = await verify(platform, abroad)
    assert (verdict["outcome"], verdict["checks"][-1]["code"]) == ("verified", "status_stale")
    clock.advance(minutes=2)
    verdict = await verify(platform, abroad)
    assert (verdict["outcome"], failed(verdict["checks"])) == ("undetermined", {("status", "status_unavailable")})


async def test_a_silent_list_past_its_end_is_undetermined(platform: Platform, abroad: ForeignIssuer) -> None:
    clock = platform.deployment.clock
    expires_at = clock.now.replace(hour=clock.now.hour + 2)
    abroad.serve_list(clock(), expires_at=expires_at)
    assert (await verify(platform, abroad))["outcome"] == "verified"
    del abroad.pages[LIST_PATH]
    clock.advance(hours=2)
    assert (await verify(platform, abroad))["outcome"] == "undetermined"


async def test_lists_of_standing_are_refreshed_apart_from_decisions(platform: Platform, abroad: ForeignIssuer) -> None:
    clock = platform.deployment.clock
    wallet = Wallet(platform.deployment, held=[abroad.issue(HOLDER, clock())], keys=HOLDER)
    query = {"id": "k", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]}}
    made = await platform.ask(
        dcql_query={"credentials": [query | {"claims": [{"path": ["sub"]}]}]}, investor_ref="inv-1"
    )
    assert (await wallet.answer(made)).status_code == 200
    clock.advance(hours=1)
    abroad.serve_list(clock(), statuses={5: 2})
    assert (await platform.read_standing("inv-1"))["credentials"][0]["status"] == "valid"
    await refresh_all_status_lists(platform.deployment.context)
    assert (await platform.read_standing("inv-1"))["credentials"][0]["status"] == "suspended"


async def test_each_platform_keeps_its_own_copies(platform: Platform, abroad: ForeignIssuer) -> None:
    await verify(platform, abroad)
    async with platform.deployment.context.database.reading() as session:
        for table in (CachedDocument, HeldStatusList):
            assert set((await session.exec(select(table.org_id))).all()) == {platform.member.org_id}
