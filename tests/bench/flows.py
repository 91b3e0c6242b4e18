"""Whole flows, four wallets at a time: offer to credential, and request to verdict."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from service.demo import cases
from tests.bench.deployment import Bench
from tests.bench.holder import BenchHolder
from tests.bench.load import Connection, Work, run_load
from tests.bench.results import Load, Round, Row, summarize
from tests.bench.rounds import Pace, say

# Credo-TS on a box of this kind, measured once elsewhere; it cannot run inside this benchmark.
CREDO = "Credo-TS, measured once elsewhere"
CREDO_ISSUE_FLOWS, CREDO_PRESENT_FLOWS, CREDO_P50_S = 12.4, 14.2, 0.6
CREDO_TIMES = 10.0
WALLETS = 4


async def measure_flows(bench: Bench, pace: Pace) -> AsyncIterator[Row]:
    """Yield a row for each flow. The other side is a constant, so there is nothing to take turns with."""
    for what, work, floor in (
        ("OpenID4VCI flow (offer to credential)", _issue(bench), CREDO_ISSUE_FLOWS),
        ("OpenID4VP flow (three credentials)", _present(bench), CREDO_PRESENT_FLOWS),
    ):
        say(what)
        await run_load(bench.base_url, work, clients=WALLETS, seconds=pace.seconds)
        rounds = []
        for _ in range(pace.rounds):
            sample = await run_load(bench.base_url, work, clients=WALLETS, seconds=pace.seconds)
            rounds.append(Round(summarize(sample), Load(floor, CREDO_P50_S)))
        yield Row(what, CREDO, CREDO_TIMES, rounds, unit="flows/s")


def _issue(bench: Bench) -> Work:
    async def issue(connection: Connection, number: int) -> None:
        claims: dict[str, Any] = cases.identity_of_us_person(datetime.now(UTC).date())
        offer = await bench.offer(connection, "kyc", "kyc", claims, f"flow-{number}")
        wallet = BenchHolder(bench.holder.keystore, bench.holder.key)
        await wallet.receive(connection, bench.issuer_path("kyc"), offer)

    return issue


def _present(bench: Bench) -> Work:
    async def present(connection: Connection, _number: int) -> None:
        await bench.holder.answer(connection, await bench.ask(connection, "wallet"))

    return present
