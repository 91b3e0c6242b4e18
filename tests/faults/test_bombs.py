"""Bombs at a real server process, with somebody else's requests beside them: little memory, and nobody waits long."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.credentials.jose import parse_json, parse_jws
from tests.faults.bombs import Bomb, SelfIssuer, list_body_bombs, list_jwe_bombs, make_list_bomb
from tests.faults.processes import ServiceProcess
from tests.foreign_issuer import ForeignIssuer, running_foreign_issuer
from tests.unit.sd_jwt_support import new_key_pair

MAX_GROWTH_KB = 32 * 1024
# A single process works on one thing at a time, so others may wait for one bomb to be refused, and for this machine.
MAX_WAIT_S = 1.0
CALM_S = 2.0
SERVE = ("-m", "service", "serve", "--seed", "--workers", "1")


@dataclass
class Target:
    """A seeded service, and a platform that calls it."""

    process: ServiceProcess
    http: httpx2.AsyncClient
    abroad: ForeignIssuer
    waits: list[float] = field(default_factory=list)

    def read_memory_kb(self) -> int:
        """Return the most that the process and its children held at once so far, each counted by itself."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sum(_read_peak_kb(pid) for pid in (self.process.pid, *children))

    async def call_as_others_do(self, until: Callable[[], bool]) -> None:
        """Verify a small credential over and over, and write down how long each took."""
        issuer = SelfIssuer(new_key_pair(), int(time.time()))
        body = {"credential": issuer.issue({}, [])}
        while not until():
            began = time.perf_counter()
            answer = await self.http.post("/v1/verify", json=body)
            self.waits.append(time.perf_counter() - began)
            assert answer.status_code == 200
            await asyncio.sleep(0.005)


def _read_peak_kb(pid: int | str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _percentile_99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    async with running_foreign_issuer() as abroad:
        settings = {
            "GOODSTANDING_DATA_DIR": str(tmp_path),
            "GOODSTANDING_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite3'}",
            "GOODSTANDING_BASE_URL": "http://localhost:8000",
            "GOODSTANDING_KEY_PASSPHRASE": "p",
            "GOODSTANDING_FETCH_ALLOW": f"localhost:{abroad.port}",
        }
        process = ServiceProcess(settings, tmp_path / "log", command=SERVE)
        await process.start()
        try:
            seed = json.loads((tmp_path / "seed.json").read_text())["organizations"]["platform"]
            async with httpx2.AsyncClient(base_url=process.url, timeout=30) as http:
                form = {"grant_type": "client_credentials", "scope": "verifier"}
                token = await http.post("/oauth/token", data=form, auth=(seed["client_id"], seed["client_secret"]))
                http.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
                yield Target(process, http, abroad)
        finally:
            await process.stop()


async def _throw_bodies(target: Target, bombs: Sequence[Bomb]) -> None:
    for bomb in bombs:
        headers = dict(bomb.headers)
        if bomb.path == "/oauth/token":
            headers["Authorization"] = ""
        try:
            answer = await target.http.post(bomb.path, content=bomb.content, headers=headers)
        except httpx2.TransportError:
            assert bomb.name == "10 MB"  # the server may close while the rest is still being sent
            continue
        assert answer.status_code in bomb.statuses, (bomb.name, answer.status_code, answer.text[:300])


async def _throw_answers(target: Target, list_tokens: Callable[[dict[str, Any]], Iterable[bytes]]) -> None:
    body = {"purpose": "us.506c", "response_mode": "direct_post.jwt"}
    made = (await target.http.post("/v1/presentation-requests", json=body)).json()
    path = made["request_uri"].removeprefix("http://localhost:8000")
    request = parse_json(parse_jws((await target.http.get(path)).text).payload)
    [key] = request["client_metadata"]["jwks"]["keys"]
    to = request["response_uri"].removeprefix("http://localhost:8000")
    for content in list_tokens(key):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await target.http.post(to, content=content, headers=headers)
        assert answer.status_code in (400, 413), answer.text[:300]


async def _throw_lists(target: Target, lists: Sequence[dict[str, Any]]) -> None:
    abroad, now = target.abroad, datetime.now(UTC)
    body: dict[str, Any] = {"issuer": abroad.identifier, "credential_types": ["kyc"], "jurisdictions": []}
    assert (await target.http.put("/v1/trusted-issuers/abroad", json=body)).is_success
    for status_list in lists:
        abroad.serve_list(now, status_list=status_list)
        answer = await target.http.post("/v1/verify", json={"credential": abroad.issue(new_key_pair(), now)})
        [status] = [check for check in answer.json()["checks"] if check["check"] == "status"]
        assert (answer.json()["valid"], status["code"]) == (False, "status_unavailable")


async def test_bombs_cost_little_and_others_go_on(target: Target) -> None:
    bombs = list(list_body_bombs(int(time.time())))  # made before, as making them takes longer than refusing them
    lists = [make_list_bomb(megabytes) for megabytes in (20, 150)]
    # What is loaded and kept at the first request of a kind is no bomb's doing.
    await _throw_answers(target, lambda _: [b"response=a.b.c.d.e"])
    await _throw_lists(target, [make_list_bomb(1) | {"bits": 3}])
    calm_until = time.monotonic() + CALM_S
    await target.call_as_others_do(lambda: time.monotonic() >= calm_until)
    calm, before = _percentile_99(target.waits), target.read_memory_kb()
    target.waits.clear()

    async def throw_all() -> None:
        for _ in range(2):
            await _throw_bodies(target, bombs)
        await _throw_answers(target, list_jwe_bombs)
        await _throw_lists(target, lists)

    attack = asyncio.create_task(throw_all())
    await target.call_as_others_do(attack.done)
    await attack
    print(f"{target.read_memory_kb() - before} kB more; p99 {calm:.3f} s, then {_percentile_99(target.waits):.3f} s")
    assert target.read_memory_kb() - before < MAX_GROWTH_KB
    assert len(target.waits) > 10
    assert _percentile_99(target.waits) < calm + MAX_WAIT_S
