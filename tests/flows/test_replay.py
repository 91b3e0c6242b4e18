"""A bundle is enough to make the decision again, and to notice any change to it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.cli.main import app
from service.gate.bundle import open_bundle
from service.gate.replay import RulesUnavailableError, UnreadableBundleError, replay_text
from tests.deployment import Deployment
from tests.gate_support import Market, open_market
from tests.prepared import prepared


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    return await open_market(sqlite_deployment)


async def fetch_bundles(market: Market) -> dict[str, dict[str, Any]]:
    """Return bundles of a permit, a denial, a resale out of two offerings and a withheld reason."""
    await market.admit("alice")
    await market.open_lot("alice", 50)
    await market.open_lot("alice", 50, offering_id="reg-s", acquired_on="2026-10-05")
    decisions = {
        "permit": await market.decide(market.buy("alice")),
        "deny": await market.decide(market.buy("nobody")),
        "two": await market.decide(market.sell("alice", "nobody", 80)),
    }
    await market.screen("alice", "potential")
    decisions["review"] = await market.decide(market.buy("alice"))
    return {name: await market.read(f"/v1/transfers/{each['id']}/bundle") for name, each in decisions.items()}


def replay(bundle: dict[str, Any]) -> list[str]:
    return replay_text(json.dumps(bundle).encode())


async def test_every_decision_comes_out_the_same(market: Market) -> None:
    bundles = await fetch_bundles(market)
    assert [bundles[name]["decision"]["payload"]["outcome"] for name in ("permit", "deny", "two", "review")] == [
        "permit",
        "deny",
        "deny",
        "review",
    ]
    assert len(bundles["two"]["evaluations"]) == 2
    for name, bundle in bundles.items():
        assert replay(bundle) == [], name
    assert "Canary" not in json.dumps(bundles["permit"])


async def test_what_leads_to_a_party_stands_apart(market: Market) -> None:
    bundle = (await fetch_bundles(market))["permit"]
    [opening] = bundle.pop("identifying")
    pseudonym = bundle["decision"]["payload"]["parties"]["buyer"]
    assert (opening["investor_ref"], opening["party"]) == ("alice", pseudonym)
    named = {each["name"]: each for each in opening["credentials"]}
    kept = {row.id: row for row in await market.scene.platform.list_kept("alice")}
    assert {each["id"] for each in named.values()} == kept.keys()
    text = json.dumps(bundle)
    for row in kept.values():
        [place] = [each for each in named.values() if each["id"] == row.id]
        [listed] = row.statuses
        assert (place["digest"], place["status_uri"], place["status_index"]) == (row.digest, listed.uri, listed.index)
        assert row.id not in text
        assert row.digest not in text
        assert listed.uri not in text
    assert '"alice"' not in text
    [part] = bundle["evaluations"]
    assert part["facts"]["buyer"]["id"] == pseudonym
    source = part["sources"]["buyer.accredited"]
    assert [each["type"] for each in bundle["credentials"] if each["name"] == source["name"]] == ["qualified-investor"]


async def test_the_issuer_as_a_party_keeps_its_name(market: Market) -> None:
    decision = await market.decide(market.buy("ISS-1"))
    bundle = await market.read(f"/v1/transfers/{decision['id']}/bundle")
    assert bundle["evaluations"][0]["facts"]["buyer"]["id"] == "ISS-1"
    assert replay(bundle) == []


async def test_a_bundle_replays_without_what_was_erased(market: Market) -> None:
    bundle = (await fetch_bundles(market))["permit"]
    [opening] = bundle["identifying"]
    erased = bundle | {"identifying": [{"party": opening["party"], "erased": True}]}
    assert replay(erased) == []
    assert replay({name: value for name, value in bundle.items() if name != "identifying"}) == []
    for changed in (
        [opening | {"investor_ref": "bob"}],
        [opening | {"salt": "x"}],
        [opening, {"party": "somebody", "erased": True}],
        [{**opening, "erased": False}],
    ):
        assert replay(bundle | {"identifying": changed}), changed


async def test_bundles_of_the_first_format_still_replay() -> None:
    file = Path(__file__).parent.parent / "vectors" / "bundle-format-1.json"
    bundle = json.loads(file.read_text())
    assert bundle["format"] == "goodstanding-decision-bundle/1"
    assert replay(bundle) == []
    assert bundle["evaluations"][0]["facts"]["buyer"]["id"] == "alice"
    assert open_bundle(bundle, {}) == bundle
    bundle["evaluations"][0]["facts"]["buyer"]["id"] = "bob"
    assert replay(bundle) == ["inputs: the bundle does not hold what was decided on"]


async def test_any_change_is_noticed(market: Market) -> None:
    bundle = (await fetch_bundles(market))["permit"]
    changes: list[tuple[tuple[str | int, ...], Any]] = [
        (("evaluations", 0, "facts", "buyer", "country"), "CA"),
        (("evaluations", 0, "facts", "buyer", "accredited"), False),
        (("evaluations", 0, "sources", "buyer.accredited", "issuer"), "https://other.example"),
        (("credentials", 0, "status", "value"), 1),
        (("parties", 0, "sha256"), "sha256:00"),
        (("identifying", 0, "credentials", 0, "digest"), "sha256:00"),
        (("salt",), "other"),
        (("decision", "payload", "quantity"), "101"),
        (("decision", "payload", "outcome"), "deny"),
        (("decision", "decision_hash"), "sha256:00"),
        (("decision", "public_jwk", "x"), "AAAA" * 10 + "AAA"),
    ]
    for path, value in changes:
        changed = copy.deepcopy(bundle)
        place: Any = changed
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert notices(changed), path


def notices(bundle: dict[str, Any]) -> bool:
    try:
        return bool(replay(bundle))
    except UnreadableBundleError:
        return True


async def test_the_command_says_same_different_or_impossible(market: Market, tmp_path: Path) -> None:
    bundle = (await fetch_bundles(market))["deny"]
    different = bundle | {"salt": "x"}
    other_rules = bundle | {"rules": {"version": "1999.1", "sha256": "00"}}
    with pytest.raises(RulesUnavailableError) as refused:
        replay(other_rules)
    assert refused.value.code == "rules_unavailable"
    with pytest.raises(UnreadableBundleError) as unreadable:
        replay(bundle | {"format": "other"})
    assert unreadable.value.code == "unreadable_bundle"
    file = tmp_path / "bundle.json"
    for content, code in ((bundle, 0), (different, 1), (other_rules, 2), ([], 2)):
        file.write_text(json.dumps(content))
        result = CliRunner().invoke(app, ["replay", str(file), "--json"])
        assert result.exit_code == code, result.output
    assert CliRunner().invoke(app, ["replay", str(tmp_path / "none")]).exit_code == 2
