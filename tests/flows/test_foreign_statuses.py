"""Status lists of issuers outside the deployment: every width, how fresh they must be, and when they are fetched."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from service.privacy.retention import run_retention
from service.storage import held_lists
from service.storage.held_lists import list_held_lists
from service.verifier import status_schedule
from service.verifier.status_schedule import refresh_all_status_lists
from tests.foreign_issuer import LIST_PATH, ForeignIssuer, running_platform
from tests.unit.sd_jwt_support import new_key_pair
from tests.verifying_support import Platform, Wallet, failed

HOLDER = new_key_pair()
UNAVAILABLE = {("status", "status_unavailable")}


@pytest.fixture
async def platform(sqlite_url: str, tmp_path: Path, abroad: ForeignIssuer) -> AsyncIterator[Platform]:
    async with running_platform(sqlite_url, tmp_path, abroad) as platform:
        await platform.trust(abroad.identifier, "kyc")
        yield platform


async def verify(platform: Platform, abroad: ForeignIssuer, **changes: Any) -> dict[str, Any]:
    return await platform.verify(credential=abroad.issue(HOLDER, platform.deployment.clock(), **changes))


@pytest.mark.parametrize(
    ("bits", "value", "status"),
    [
        (1, 0, "valid"),
        (1, 1, "revoked"),
        (2, 2, "suspended"),
        (2, 3, "unknown"),
        (4, 0x00, "valid"),
        (4, 0x01, "revoked"),
        (4, 0x0B, "unknown"),
        (4, 0x0C, "unknown"),
        (4, 0x0F, "unknown"),
        (8, 0x00, "valid"),
        (8, 0x02, "suspended"),
        (8, 0x0F, "unknown"),
        (8, 0xFF, "unknown"),
    ],
)
async def test_every_width_is_read_and_only_zero_is_valid(
    platform: Platform, abroad: ForeignIssuer, bits: int, value: int, status: str
) -> None:
    abroad.serve_list(platform.deployment.clock(), bits=bits, statuses={5: value, 4: (1 << bits) - 1, 6: 1})
    verdict = await verify(platform, abroad)
    assert (verdict["status"], verdict["valid"]) == (status, status == "valid")
    if status == "unknown":
        assert failed(verdict["checks"]) == {("status", "credential_status_unknown")}


async def test_a_list_that_is_never_due_by_its_own_word_is_fetched_again(
    platform: Platform, abroad: ForeignIssuer
) -> None:
    clock = platform.deployment.clock
    abroad.serve_list(clock(), ttl=timedelta(days=3650), expires_at=clock() + timedelta(days=3650))
    assert (await verify(platform, abroad))["status"] == "valid"
    clock.advance(hours=13)
    abroad.serve_list(clock(), statuses={5: 1})
    assert (await verify(platform, abroad))["status"] == "revoked"


async def test_a_list_cannot_ask_to_be_fetched_at_every_look(platform: Platform, abroad: ForeignIssuer) -> None:
    abroad.serve_list(platform.deployment.clock(), ttl=timedelta(seconds=1))
    for _ in range(5):
        await verify(platform, abroad)
        platform.deployment.clock.advance(seconds=1)
    assert abroad.asked.count(LIST_PATH) == 1
    await verify(platform, abroad)
    assert abroad.asked.count(LIST_PATH) == 2


async def test_the_platform_bounds_how_old_a_list_may_be(platform: Platform, abroad: ForeignIssuer) -> None:
    clock = platform.deployment.clock
    abroad.serve_list(clock() - timedelta(minutes=11))
    assert (await verify(platform, abroad))["outcome"] == "verified"
    await platform.trust(abroad.identifier, "kyc", max_status_age=600)  # counts for the copy that is held, at once
    assert failed((await verify(platform, abroad))["checks"]) == UNAVAILABLE
    await platform.trust(abroad.identifier, "kyc", max_status_age=720)
    assert (await verify(platform, abroad))["outcome"] == "verified"
    await platform.trust(abroad.identifier, "kyc", entry_id="stricter", max_status_age=600)
    assert failed((await verify(platform, abroad))["checks"]) == UNAVAILABLE
    clock.advance(minutes=10)
    abroad.serve_list(clock() - timedelta(minutes=9))
    assert (await verify(platform, abroad))["outcome"] == "verified"
    clock.advance(minutes=2)  # not due yet, and too old already
    assert failed((await verify(platform, abroad))["checks"]) == UNAVAILABLE
    await platform.call("DELETE", "/v1/trusted-issuers/stricter")
    assert (await verify(platform, abroad))["outcome"] == "verified"


async def test_a_bound_that_comes_during_a_refresh_counts(platform: Platform, abroad: ForeignIssuer) -> None:
    clock = platform.deployment.clock
    abroad.serve_list(clock())
    assert (await verify(platform, abroad))["outcome"] == "verified"
    clock.advance(minutes=11)
    abroad.serve_list(clock())
    abroad.meanwhile[LIST_PATH] = partial(platform.trust, abroad.identifier, "kyc", max_status_age=60)
    await refresh_all_status_lists(platform.deployment.context)
    assert abroad.meanwhile == {}
    assert (await verify(platform, abroad))["outcome"] == "verified"
    clock.advance(minutes=2)
    assert failed((await verify(platform, abroad))["checks"]) == UNAVAILABLE


@pytest.mark.parametrize("age", [59, 86_401, 0, -1, 1.5, "600", True])
async def test_a_bound_that_cannot_be_meant_is_refused(platform: Platform, abroad: ForeignIssuer, age: Any) -> None:
    assert (await platform.trust(abroad.identifier, "kyc", max_status_age=age)).status_code == 422


async def test_looks_and_fetches_have_nothing_to_do_with_each_other(platform: Platform, abroad: ForeignIssuer) -> None:
    """Threats, row 40a: once a list is known, it is fetched as the clock says, however often anybody is looked at."""
    clock, context = platform.deployment.clock, platform.deployment.context
    abroad.serve_list(clock())
    await verify(platform, abroad)
    asked = []
    for looks in (0, 3, 1, 0, 0, 2) * 4:
        for _ in range(looks):
            assert (await verify(platform, abroad))["checks"][-1]["code"] is None
        before = abroad.asked.count(LIST_PATH)
        await refresh_all_status_lists(context)
        asked.append(abroad.asked.count(LIST_PATH) - before)
        clock.advance(minutes=1)
        abroad.serve_list(clock())
    assert abroad.asked.count(LIST_PATH) == 1 + sum(asked)
    assert [minute for minute, count in enumerate(asked) if count] == [9, 18]


async def test_an_issuers_other_lists_are_known_before_anybody_shows_them(
    platform: Platform, abroad: ForeignIssuer
) -> None:
    clock, context = platform.deployment.clock, platform.deployment.context
    abroad.serve_list(clock(), aggregation_uri=f"{abroad.origin}/lists")
    abroad.serve_list(clock(), path="/lists/2", statuses={5: 1})
    paths = [LIST_PATH, "/lists/2", "/lists/missing"]
    abroad.serve("/lists", {"status_lists": [abroad.origin + path for path in paths]})
    await verify(platform, abroad)
    await refresh_all_status_lists(context)
    assert abroad.asked[-3:] == ["/lists", "/lists/2", "/lists/missing"]
    seen = len(abroad.asked)
    status = {"status_list": {"uri": f"{abroad.origin}/lists/2", "idx": 5}}
    assert (await verify(platform, abroad, status=status))["status"] == "revoked"
    clock.advance(minutes=2)
    await refresh_all_status_lists(context)
    assert len(abroad.asked) == seen


@pytest.mark.parametrize("body", ["", "[]", {}, {"status_lists": "x"}, {"status_lists": [1]}], ids=str)
async def test_an_aggregation_that_cannot_be_read_harms_nothing(
    platform: Platform, abroad: ForeignIssuer, body: Any
) -> None:
    abroad.serve_list(platform.deployment.clock(), aggregation_uri=f"{abroad.origin}/lists")
    abroad.serve("/lists", body)
    await verify(platform, abroad)
    await refresh_all_status_lists(platform.deployment.context)
    assert abroad.asked[-1] == "/lists"
    assert (await verify(platform, abroad))["outcome"] == "verified"


async def test_an_aggregation_address_must_be_a_text(platform: Platform, abroad: ForeignIssuer) -> None:
    abroad.serve_list(platform.deployment.clock(), aggregation_uri=7)
    assert failed((await verify(platform, abroad))["checks"]) == UNAVAILABLE


async def verify_on(platform: Platform, abroad: ForeignIssuer, number: int) -> str:
    status = {"status_list": {"uri": f"{abroad.origin}/lists/{number}", "idx": 5}}
    return str((await verify(platform, abroad, status=status))["status"])


async def read_held(platform: Platform, abroad: ForeignIssuer) -> set[int]:
    async with platform.deployment.context.database.reading() as session:
        held = await list_held_lists(session, platform.member.org_id)
    return {int(uri.rpartition("/")[2]) for uri in held}


async def test_only_so_many_lists_of_an_issuer_are_kept_and_every_one_that_a_standing_needs(
    platform: Platform, abroad: ForeignIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (held_lists, status_schedule):
        monkeypatch.setattr(module, "MAX_LISTS", 3)
    clock = platform.deployment.clock
    for number in range(1, 8):
        abroad.serve_list(clock(), path=f"/lists/{number}", statuses={5: 1} if number == 2 else {})
    query = {"id": "k", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]}}
    made = await platform.ask(
        dcql_query={"credentials": [query | {"claims": [{"path": ["sub"]}]}]}, investor_ref="inv-1"
    )
    wallet = Wallet(platform.deployment, held=[abroad.issue(HOLDER, clock())], keys=HOLDER)
    assert (await wallet.answer(made)).status_code == 200
    for number in (2, 3, 4, 5):
        clock.advance(seconds=1)
        await verify_on(platform, abroad, number)
    assert await read_held(platform, abroad) == {1, 3, 4, 5}
    clock.advance(hours=25)
    for number in (3, 2, 6):  # noticed again after a day, so the list that was looked at long ago goes
        abroad.serve_list(clock(), path=f"/lists/{number}", statuses={5: 1} if number == 2 else {})
        await verify_on(platform, abroad, number)
        clock.advance(seconds=1)
    assert await read_held(platform, abroad) == {1, 2, 3, 6}
    abroad.serve_list(clock(), path="/lists/2", statuses={5: 1}, aggregation_uri=f"{abroad.origin}/lists")
    abroad.serve("/lists", {"status_lists": [f"{abroad.origin}/lists/{number}" for number in range(1, 8)]})
    clock.advance(minutes=11)
    await refresh_all_status_lists(platform.deployment.context)
    assert "/lists" in abroad.asked
    assert "/lists/7" not in abroad.asked
    assert await read_held(platform, abroad) == {1, 2, 3, 6}
    assert (await platform.read_standing("inv-1"))["credentials"][0]["status"] == "valid"


async def test_a_list_that_was_forgotten_comes_back_no_older(
    platform: Platform, abroad: ForeignIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_lists, "MAX_LISTS", 1)
    clock = platform.deployment.clock
    abroad.serve_list(clock())
    abroad.serve_list(clock(), path="/lists/2", statuses={5: 1})
    assert await verify_on(platform, abroad, 2) == "revoked"
    clock.advance(seconds=1)
    assert await verify_on(platform, abroad, 1) == "valid"
    assert await read_held(platform, abroad) == {1}
    abroad.serve_list(clock() - timedelta(minutes=5), path="/lists/2")
    assert await verify_on(platform, abroad, 2) == "unknown"
    abroad.serve_list(clock(), path="/lists/2")
    assert await verify_on(platform, abroad, 2) == "valid"


async def test_no_copy_is_read_as_a_whole(platform: Platform, abroad: ForeignIssuer) -> None:
    abroad.serve_list(platform.deployment.clock())
    await verify(platform, abroad)
    said: list[str] = []

    def listen(*execution: Any) -> None:
        said.append(execution[2])

    engine = platform.deployment.context.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        await verify(platform, abroad)
        await refresh_all_status_lists(platform.deployment.context)
        await platform.trust(abroad.identifier, "kyc", max_status_age=600)
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    about = [each for each in said if "held_status_list" in each]
    assert len(about) >= 4
    assert not any("packed" in each for each in about)


async def test_copies_that_say_nothing_any_more_are_forgotten(platform: Platform, abroad: ForeignIssuer) -> None:
    abroad.serve_list(platform.deployment.clock())
    await verify(platform, abroad)
    for days, kept in ((29, {1}), (2, set())):
        platform.deployment.clock.advance(days=days)
        await run_retention(platform.deployment.context)
        assert await read_held(platform, abroad) == kept
