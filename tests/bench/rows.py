"""What is measured, against which floor, and what we aim at (each aim is a ratio)."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from service.credentials.jose import load_key, parse_jws
from service.credentials.presentation import verify_presentation
from service.demo import cases
from tests.bench.deployment import Bench
from tests.bench.holder import BenchHolder
from tests.bench.load import Call, Connection, Load, run_load

# Credo-TS on a box of this kind, measured once elsewhere; it cannot run inside this benchmark.
CREDO_ISSUE_FLOWS, CREDO_PRESENT_FLOWS = 12.4, 14.2


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``aim`` is the ratio that we want at least, or at most if ``at_most``."""

    what: str
    measured: float
    floor: float
    unit: str
    aim: float
    at_most: bool = False

    @property
    def ratio(self) -> float:
        return self.measured / self.floor

    @property
    def reached(self) -> bool:
        return self.ratio <= self.aim if self.at_most else self.ratio >= self.aim


def _rate(function: Any, seconds: float) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        function()
        count += 1
    return count / (time.perf_counter() - started)


def _presentation(bench: Bench) -> tuple[str, BenchHolder]:
    holder = bench.holders[0][1]
    return holder.present("kyc", ["country", "us_person", "loa"], "https://bench.example", "nonce-1234567890"), holder


async def _issuer_key(bench: Bench, kid: str) -> Any:
    connection = Connection(bench.base_url)
    keys = (await connection.request("GET", f"{bench.issuer_path('kyc')}/jwks")).json()["keys"]
    connection.close()
    return next(load_key(jwk, alg="ES256", kid=kid) for jwk in keys if jwk["kid"] == kid)


async def in_process_verification(bench: Bench, seconds: float) -> list[Row]:
    """One SD-JWT VC with key binding, verified in process, against two raw P-256 verifications."""
    presentation, _ = _presentation(bench)
    key = await _issuer_key(bench, parse_jws(presentation.split("~")[0]).header["kid"])
    private = ec.generate_private_key(ec.SECP256R1())
    algorithm, message = ec.ECDSA(hashes.SHA256()), secrets.token_bytes(600)
    signature, public = private.sign(message, algorithm), private.public_key()

    def two_raw() -> None:
        public.verify(signature, message, algorithm)
        public.verify(signature, message, algorithm)

    def verify() -> None:
        verify_presentation(
            presentation,
            key,
            expected_audience="https://bench.example",
            expected_nonce="nonce-1234567890",
            now=datetime.now(UTC),
            max_age=timedelta(hours=1),
        )

    floor, measured = _rate(two_raw, seconds), _rate(verify, seconds)
    return [Row("in-process SD-JWT VC + KB verify", measured, floor, "verifications/s", 0.6)]


def _json_call(path: str, body: Any, headers: Mapping[str, str]) -> Call:
    raw = json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    return Call("POST", path, lambda _number: (raw, sent))


async def verify_endpoint(bench: Bench, requests: int) -> list[Row]:
    """``POST /v1/verify`` against echo and two raw verifications."""
    presentation, _ = _presentation(bench)
    expected = {"audience": "https://bench.example", "nonce": "nonce-1234567890"}
    body = {"presentation": presentation, "expected": expected}
    call = _json_call("/v1/verify", body, {"Authorization": bench.platform_token})
    connection = Connection(bench.base_url)
    raw, headers = call.make(0)
    verdict = (await connection.request("POST", "/v1/verify", raw, headers)).json()
    connection.close()
    if verdict["valid"] is not True:
        raise RuntimeError(f"the benchmark's presentation does not verify: {verdict['checks']}")
    rows = []
    for clients in (1, 64):
        floor = await run_load(bench.floor_url, _json_call("/verify", body, {}), clients=clients, requests=requests)
        load = await run_load(bench.base_url, call, clients=clients, requests=requests)
        rows.append(Row(f"POST /v1/verify, {clients} clients", load.rate, floor.rate, "requests/s", 0.7))
    return rows


def _transfer_call(bench: Bench, run: str) -> Call:
    security = bench.seed["organizations"]["platform"]["securities"]["demo"]

    def make(number: int) -> tuple[bytes, Mapping[str, str]]:
        subject = bench.holders[number % len(bench.holders)][0]
        body = cases.purchase(security["id"], security["offerings"]["us.506c"], subject) | {"quantity": "1"}
        headers = {
            "Authorization": bench.platform_token,
            "Content-Type": "application/json",
            "Idempotency-Key": f"{run}-{number}",
        }
        return json.dumps(body).encode(), headers

    return Call("POST", "/v1/transfers", make)


async def _check_permit(bench: Bench) -> None:
    connection = Connection(bench.base_url)
    raw, headers = _transfer_call(bench, f"check-{secrets.token_hex(4)}").make(0)
    decision = (await connection.request("POST", "/v1/transfers", raw, headers)).json()
    connection.close()
    if decision.get("outcome") != "permit":
        raise RuntimeError(f"the benchmark's transfer is not permitted: {decision}")


async def transfer_endpoint(bench: Bench, requests: int) -> list[Row]:
    """``POST /v1/transfers`` against echo, one signature and one committed INSERT."""
    await _check_permit(bench)
    rows = []
    for clients, aim in ((1, 0.6), (64, 1.0)):
        body = json.loads(_transfer_call(bench, "floor").make(0)[0])
        floor: Load = await run_load(
            bench.floor_url, _json_call("/decide", body, {}), clients=clients, requests=requests
        )
        call = _transfer_call(bench, secrets.token_hex(4))
        load = await run_load(bench.base_url, call, clients=clients, requests=requests)
        rows.append(Row(f"POST /v1/transfers, {clients} clients", load.rate, floor.rate, "decisions/s", aim))
        if clients > 1:
            rows.append(Row(f"  p99, {clients} clients", load.p99 * 1000, floor.p99 * 1000, "ms", 3.0, at_most=True))
    return rows


async def flows(bench: Bench, count: int) -> list[Row]:
    """Whole flows: offer to credential, and request to verdict, four wallets at a time."""
    holder = bench.holders[0][1]

    async def issue(connection: Connection, number: int) -> None:
        claims = cases.identity_of_us_person(datetime.now(UTC).date())
        offer = await bench.offer("kyc", "kyc", claims, f"flow-{number}")
        await BenchHolder(bench.keystore, holder.key).receive(connection, bench.issuer_path("kyc"), offer)

    async def present(connection: Connection, _number: int) -> None:
        await holder.answer(connection, await bench.ask(bench.holders[0][0]))

    rows = []
    for what, flow, floor in (
        ("OpenID4VCI flow (offer -> credential)", issue, CREDO_ISSUE_FLOWS),
        ("OpenID4VP flow (three credentials)", present, CREDO_PRESENT_FLOWS),
    ):
        numbers = iter(range(count))

        async def work(flow: Any = flow, numbers: Any = numbers) -> None:
            connection = Connection(bench.base_url)
            for number in numbers:
                await flow(connection, number)
            connection.close()

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(4)))
        rows.append(Row(what, count / (time.perf_counter() - started), floor, "flows/s", 10.0))
    return rows
