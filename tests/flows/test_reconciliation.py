"""`reconcile` adds every register up again, and finds whatever was changed behind the service's back."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from service.cli.main import app
from tests.deployment import BASE_URL, PASSPHRASE, Deployment
from tests.gate_support import Market, open_market, reconcile_all
from tests.prepared import prepared


@prepared
async def market(deployment: Deployment) -> Market:
    """Something held, something promised of a lot, something promised of what was issued."""
    market = await open_market(deployment, caps={"holders": 50})
    for ref in ("alice", "bob", "carol"):
        await market.admit(ref)
    await market.open_lot("alice", 100, accredited=True)
    await market.put_offering("small", {"regime": "us.reg_a_t1", "blue_sky_ok_states": ["NY"]})
    asked = (
        market.sell("alice", "bob", 40),
        market.buy("carol", 10),
        market.buy("carol", 5, offering_id="small", price={"amount": "1.00", "currency": "USD"}),
    )
    for request in asked:
        decision = await market.decide(request)
        assert decision["outcome"] == "permit", decision["reasons"]
    return market


async def tamper(market: Market, *statements: str) -> None:
    async with market.deployment.context.database.transaction() as session:
        connection = await session.connection()
        for statement in statements:
            await connection.execute(text(statement))


async def test_a_register_that_nobody_touched_adds_up(market: Market) -> None:
    assert await reconcile_all(market.deployment) == []


TAMPERING = [
    ("UPDATE security SET outstanding = outstanding + 1", "outstanding"),
    ("UPDATE security SET outstanding_reserved = outstanding_reserved - 1", "outstanding_reserved"),
    ("UPDATE security SET holders = holders + 1", "holders"),
    ("UPDATE security SET holders_reserved = holders_reserved - 1", "holders_reserved"),
    ("UPDATE security SET nonaccredited_holders = 7", "nonaccredited_holders"),
    ("UPDATE security SET nonaccredited_holders_reserved = 7", "nonaccredited_holders_reserved"),
    ("UPDATE security SET beneficial_owners = beneficial_owners + 1", "beneficial_owners"),
    ("UPDATE security SET beneficial_owners_reserved = 0", "beneficial_owners_reserved"),
    ("UPDATE lot SET quantity = quantity + 1", "outstanding"),
    ("UPDATE lot SET reserved = reserved - 1", "reserved"),
    ("UPDATE lot SET investor_ref = 'mallory' WHERE investor_ref = 'alice'", "mallory quantity"),
    ("DELETE FROM lot", "alice quantity"),
    ("UPDATE holder SET quantity = quantity + 1 WHERE investor_ref = 'alice'", "alice quantity"),
    ("UPDATE holder SET accredited = NOT accredited WHERE investor_ref = 'alice'", "nonaccredited_holders"),
    ("UPDATE holder SET owners = 9 WHERE investor_ref = 'alice'", "beneficial_owners"),
    ("UPDATE holder SET pending = 0 WHERE investor_ref = 'bob'", "bob pending"),
    ("UPDATE holder SET pending_quantity = 1 WHERE investor_ref = 'bob'", "bob pending_quantity"),
    ("UPDATE holder SET holder_slots = 0 WHERE investor_ref = 'bob'", "bob holder_slots"),
    ("UPDATE holder SET nonaccredited_slots = 3 WHERE investor_ref = 'bob'", "bob nonaccredited_slots"),
    ("UPDATE holder SET owner_slots = 0 WHERE investor_ref = 'bob'", "bob owner_slots"),
    ("DELETE FROM holder WHERE investor_ref = 'bob'", "bob pending"),
    ("DELETE FROM held_reservation", "reservations without an ending"),
    ("UPDATE transfer SET outcome = 'deny'", "permits with a reservation"),
    ("DELETE FROM transfer", "permits with a reservation"),
    ("UPDATE purchase SET id = 'trf_other'", "promised sales not held"),
]


@pytest.mark.parametrize(("statement", "what"), TAMPERING, ids=[each[0] for each in TAMPERING])
async def test_tampering_is_found(market: Market, statement: str, what: str) -> None:
    # SQLite's checks refuse some of these, so that whoever tampers has to turn them off first.
    await tamper(market, *_without_checks(market), statement)
    found = [each.what for each in await reconcile_all(market.deployment)]
    assert any(each.endswith(what) for each in found), found


def _without_checks(market: Market) -> list[str]:
    return ["PRAGMA ignore_check_constraints = ON"] if market.deployment.context.database.is_sqlite else []


async def test_an_ending_slipped_in_is_found(market: Market) -> None:
    await tamper(
        market,
        "INSERT INTO reservation_ending (org_id, transfer_id, state, ended_at)"
        " SELECT org_id, transfer_id, 'settled', expires_at FROM reservation",
    )
    [found] = await reconcile_all(market.deployment)
    assert found.what == "reservations without an ending"


async def test_the_command_names_what_differs_and_says_so_by_its_code(
    market: Market, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context = market.deployment.context
    settings = {"BASE_URL": BASE_URL, "DATABASE_URL": context.database.url, "DATA_DIR": str(context.data_dir)}
    for name, value in (settings | {"KEY_PASSPHRASE": PASSPHRASE}).items():
        monkeypatch.setenv(f"GOODSTANDING_{name}", value)
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["reconcile", *options])
        return result.exit_code, result.stdout

    assert await asyncio.to_thread(run) == (0, "1 securities, 0 differences\n")
    code, printed = await asyncio.to_thread(run, "--json")
    assert (code, json.loads(printed)) == (0, {"securities": 1, "differences": []})
    await tamper(market, *_without_checks(market), "UPDATE security SET outstanding = 90")
    code, printed = await asyncio.to_thread(run)
    assert code == 1
    assert "note: outstanding is 90, its rows add up to 100" in printed
    code, printed = await asyncio.to_thread(run, "--json")
    [difference] = json.loads(printed)["differences"]
    assert (code, difference["security_id"], difference["kept"], difference["added_up"]) == (1, "note", 90, 100)
