"""Every kind of decision is made again from its bundle, and no part of a bundle can be changed unnoticed."""

import asyncio
import copy
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from typer.testing import CliRunner

from service.cli.main import app
from service.credentials.jose import jwk_thumbprint, sign_jws
from service.gate.decision_format import DECISION_TYP, hash_canonical
from service.gate.replay import RulesUnavailableError, UnreadableBundleError, replay_text
from service.rules.catalog import digest_rules
from service.rules.law import choose_law
from tests.actions_support import CONTROL, NO_AFFILIATE, ONE, REG_D_CONVERTIBLE, ask
from tests.deployment import Deployment
from tests.gate_support import Market, open_market
from tests.prepared import prepared
from tests.unit.sd_jwt_support import new_key_pair

ROOT = Path(__file__).parents[2]
Path_ = tuple[str | int, ...]
OTHER_LAW = "2026.11.1+LW-US-INVEST"


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    market = await open_market(sqlite_deployment)
    await market.put_offering("reg-d", REG_D_CONVERTIBLE)
    for ref in ("alice", "bob", "bank"):
        await market.admit(ref)
    await market.admit("alice-2", sub="subject-alice")
    await market.open_lot("alice", 300)
    return market


def list_requests(market: Market) -> list[dict[str, Any]]:
    """Return a request for each action, in an order in which each finds what it needs."""
    return [
        market.buy("alice", 10),
        market.buy("alice", 10, offering_id=None),  # tries offerings
        market.sell("alice", "bob", 20),
        ask(market, "pledge", "alice", "bank", 60, trade=CONTROL | {"recourse": True}),
        ask(market, "release", "alice", "bank", 10) | {"approvals": [{**ONE, "approver": "bank"}]},
        ask(market, "liquidation", "bank", "bob", 50, trade=NO_AFFILIATE),
        ask(market, "gift", "alice", "bob", 10, trade=NO_AFFILIATE),
        ask(market, "redemption", "alice", None, 10),
        ask(market, "forced", "alice", "bob", 10),
        ask(market, "inheritance", "alice", "bob", 10),
        ask(market, "distribution", None, "alice", 40),
        ask(market, "conversion", "alice", None, 20) | {"offering_id": "reg-s"},
        ask(market, "recovery", "alice", "alice-2", 0),
    ]


async def decide(market: Market, request: dict[str, Any]) -> dict[str, Any]:
    """Decide and settle what is permitted; returns the bundle."""
    if request["action"] == "recovery":
        request = request | {"quantity": (await market.positions())["alice"]}
    decision = await market.decide(request)
    if decision["outcome"] == "permit":
        assert (await market.settle(decision)).status_code == 200
    bundle: dict[str, Any] = await market.read(f"/v1/transfers/{decision['id']}/bundle")
    return bundle


def replay(bundle: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Replay with the command, as an auditor does."""
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(bundle))
    result = CliRunner().invoke(app, ["replay", str(file), "--json"])
    assert result.exit_code in (0, 1), result.output
    answer: dict[str, Any] = json.loads(result.output)
    assert (result.exit_code == 0) == answer["same"]
    return answer


async def test_permits_of_every_action_come_out_the_same(market: Market, tmp_path: Path) -> None:
    bundles = [await decide(market, request) for request in list_requests(market)]
    payloads = [bundle["decision"]["payload"] for bundle in bundles]
    assert {each["outcome"] for each in payloads} == {"permit"}, [each["reasons"] for each in payloads]
    assert len({each["action"] for each in payloads}) == 12
    for bundle in bundles:
        hashed = bundle["decision"]["decision_hash"]
        assert replay(bundle, tmp_path) == {
            "same": True,
            "mismatches": [],
            "decision_hash": hashed,
            "outcome": "permit",
        }


@pytest.mark.parametrize(("result", "outcome"), [("hit", "deny"), ("potential", "review")])
async def test_denials_and_reviews_of_every_action_come_out_the_same(
    market: Market, tmp_path: Path, result: str, outcome: str
) -> None:
    requests = list_requests(market)
    await decide(market, requests[3])  # a pledge, so that there is something to release and to liquidate
    for ref in ("alice", "bob", "bank", "alice-2"):
        await market.screen(ref, result)
    found = set()
    for request in requests:
        bundle = await decide(market, request)
        answer = replay(bundle, tmp_path)
        assert (answer["same"], answer["mismatches"]) == (True, [])
        found.add(answer["outcome"])
    assert outcome in found
    assert "permit" not in found


async def test_offerings_that_were_tried_are_replayed(market: Market, tmp_path: Path) -> None:
    bundle = await decide(market, market.buy("nobody", offering_id=None))
    assert [each["offering"]["id"] for each in bundle["tried"]] != []
    assert replay(bundle, tmp_path)["same"]
    changed = copy.deepcopy(bundle)
    changed["tried"][0]["facts"]["qty"] = 11
    mismatches = replay(changed, tmp_path)["mismatches"]
    assert any(each.startswith("inputs:") for each in mismatches)


def list_places(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Yield every member and element of a document, however deep, with where it stands."""
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in pairs:
        yield (*path, name), each
        yield from list_places(each, (*path, name))


def change(bundle: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    """Return a copy with another value in one place; without the place if there is none."""
    changed = copy.deepcopy(bundle)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def other_than(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    return value + 1 if isinstance(value, int) else f"{value}x" if isinstance(value, str) else {}


def is_noticed(bundle: dict[str, Any]) -> bool:
    try:
        return bool(replay_text(json.dumps(bundle).encode()))
    except (UnreadableBundleError, RulesUnavailableError):
        return True


async def test_nothing_in_a_bundle_can_be_changed_or_left_out_unnoticed(market: Market) -> None:
    bundle = await decide(market, market.buy("alice", offering_id=None))
    assert not is_noticed(bundle)
    places = list(list_places(bundle))
    assert len(places) > 300
    unnoticed = [
        path for path, value in places if value != {} and not is_noticed(change(bundle, path, other_than(value)))
    ]
    assert unnoticed == [("identifying",)]  # emptied, as an erasure may leave it
    left_out = [path for path, _ in places if not is_noticed(change(bundle, path, ...))]
    # An erasure takes what leads to a person out of a bundle; what the rules read stays, and is committed to.
    assert {path[0] for path in left_out} <= {"identifying"}
    assert [path for path in left_out if len(path) > 2] == []


def resign(bundle: dict[str, Any], law: str) -> dict[str, Any]:
    """Return the decision as somebody would have signed it under another version of the rules."""
    keys, changed = new_key_pair(), copy.deepcopy(bundle)
    changed["rules"] = {"version": law, "sha256": digest_rules(choose_law(law))}
    payload = changed["decision"]["payload"]
    inputs = {name: value for name, value in changed.items() if name not in ("decision", "identifying")}
    payload["inputs_sha256"] = hash_canonical(inputs)
    header = {"alg": "ES256", "typ": DECISION_TYP, "kid": f"{payload['iss']}#{jwk_thumbprint(keys.jwk)}"}
    changed["decision"] |= {
        "decision_hash": hash_canonical(payload),
        "jws": sign_jws(header, rfc8785.dumps(payload), keys.sign),
        "public_jwk": keys.jwk,
    }
    return changed


async def test_replaying_needs_nothing_but_the_file(market: Market, tmp_path: Path) -> None:
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(await decide(market, market.buy("alice"))))
    command = [sys.executable, "-m", "service", "replay", str(file)]
    empty = tmp_path / "empty"
    empty.mkdir()
    process = await asyncio.create_subprocess_exec(
        *command, cwd=empty, env={"PYTHONPATH": str(ROOT)}, stdout=PIPE, stderr=PIPE
    )
    assert await process.communicate() == (b"The decision comes out the same.\n", b"")
    assert process.returncode == 0
    assert list(empty.iterdir()) == []


async def test_a_decision_is_replayed_under_the_rules_that_it_names(market: Market, tmp_path: Path) -> None:
    bundle = resign(await decide(market, market.buy("alice")), OTHER_LAW)
    assert replay(bundle, tmp_path)["same"]
    sha256 = digest_rules(choose_law(None))
    assert sha256 != bundle["rules"]["sha256"]
    bundle["rules"]["sha256"] = sha256  # those of another version
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(bundle))
    result = CliRunner().invoke(app, ["replay", str(file)])
    assert (result.exit_code, OTHER_LAW in result.output) == (2, True)
