"""What is measured over HTTP, against which floor, and what we aim at (each aim is a ratio)."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from tests.bench.deployment import Bench
from tests.bench.load import Call, json_call, run_load
from tests.bench.results import Row
from tests.bench.rounds import Pace, Side, measure_in_turns, say
from tests.bench.transfers import BATCH, Trading, make_sale

FLOOR = "echo + ES256 signature + one committed INSERT"
VERIFY_FLOOR = "echo + two P-256 verifications"
AUDIENCE, NONCE = "https://bench.example", "nonce-1234567890"
VALID = b'"valid":true'
MANY = 64
BATCH_CLIENTS = 4
_CLAIMS = ["country", "us_person", "loa"]
_RATE = "decisions/s"


def sample_presentation(bench: Bench) -> str:
    """Return a presentation of a KYC credential."""
    return bench.holder.present("kyc", _CLAIMS, AUDIENCE, NONCE)


def load_side(base_url: str, make: Callable[[], Any], clients: int, pieces: int = 1) -> Side:
    """Return a half that sends calls; ``make`` is awaited for a fresh one at the start of each round."""

    async def measure(seconds: float) -> Any:
        return await run_load(base_url, await make(), clients=clients, seconds=seconds)

    return Side(measure, pieces)


def floor_side(bench: Bench, path: str, body: Any, clients: int) -> Side:
    """Return the half of a floor."""

    async def make() -> Call:
        return json_call(path, body)

    return load_side(bench.floor_url, make, clients)


def trading_side(bench: Bench, investors: int, clients: int, *, resale: bool, batch: bool = False) -> Side:
    """Return the half of the gate."""

    async def make() -> Call:
        trading = Trading(investors, await bench.authorize("platform"))
        return trading.batch(resale=resale) if batch else trading.one(resale=resale)

    return load_side(bench.base_url, make, clients, BATCH if batch else 1)


async def measure_rows(bench: Bench, pace: Pace) -> AsyncIterator[Row]:
    """Yield the rows one by one."""
    investors = await bench.count()
    for resale in (False, True):
        async for row in _measure_transfers(bench, pace, investors, resale=resale):
            yield row
    async for row in _measure_batches(bench, pace, investors):
        yield row
    async for row in _measure_verify(bench, pace):
        yield row


async def _measure_transfers(bench: Bench, pace: Pace, investors: int, *, resale: bool) -> AsyncIterator[Row]:
    name = "resale" if resale else "sale"
    for clients, aim in ((1, 0.6), (MANY, 1.0)):
        what = f"POST /v1/transfers, {name}, {clients} client{'s' * (clients > 1)}"
        say(what)
        gate = trading_side(bench, investors, clients, resale=resale)
        rounds = await measure_in_turns(gate, floor_side(bench, "/decide", make_sale(0), clients), pace)
        row = Row(what, FLOOR, aim, rounds, unit=_RATE)
        yield row
        if clients > 1:
            yield replace(row, metric="p99", aim=3.0)


async def _measure_batches(bench: Bench, pace: Pace, investors: int) -> AsyncIterator[Row]:
    for clients, floor_clients in ((1, 1), (BATCH_CLIENTS, MANY)):
        what = f"POST /v1/transfers/batch of {BATCH}, {clients} client{'s' * (clients > 1)}"
        say(what)
        gate = trading_side(bench, investors, clients, resale=False, batch=True)
        rounds = await measure_in_turns(gate, floor_side(bench, "/decide", make_sale(0), floor_clients), pace)
        against = FLOOR if clients == floor_clients else f"{FLOOR}, {floor_clients} clients"
        yield Row(what, against, 4.0, rounds, unit=_RATE)


async def _measure_verify(bench: Bench, pace: Pace) -> AsyncIterator[Row]:
    body = {
        "presentation": sample_presentation(bench),
        "expected": {"audience": AUDIENCE, "nonce": NONCE},
    }

    async def make() -> Call:
        return json_call("/v1/verify", body, await bench.authorize("platform"), VALID)

    for clients in (1, MANY):
        what = f"POST /v1/verify, {clients} client{'s' * (clients > 1)}"
        say(what)
        floor = floor_side(bench, "/verify", body, clients)
        rounds = await measure_in_turns(load_side(bench.base_url, make, clients), floor, pace)
        yield Row(what, VERIFY_FLOOR, 0.7, rounds)


async def measure_ladder(bench: Bench, pace: Pace) -> AsyncIterator[Row]:
    """Yield what each step of the floor costs: how much of an echo is left."""
    for path, name in (("/sign", "echo + ES256 signature"), ("/decide", FLOOR)):
        for clients in (1, MANY):
            what = f"{name}, {clients} client{'s' * (clients > 1)}"
            say(what)
            step, echo = (floor_side(bench, each, make_sale(0), clients) for each in (path, "/echo"))
            yield Row(what, "echo", 0.0, await measure_in_turns(step, echo, pace))
