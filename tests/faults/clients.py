"""Clients of the gate who retry as the contract tells them: the same key again, at whichever process answers."""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from tests.faults.estate import Member, purchase
from tests.faults.history import Recorder
from tests.faults.register_model import CAP, QUANTITY, REVOKED

REASONS = {
    "US_12G_2000": CAP,
    "HOLDER_CAP": CAP,
    "INSUFFICIENT_BALANCE": QUANTITY,
    "CRED_REVOKED": REVOKED,
}
PATIENCE_S = 60.0
RETRY_S = 0.1
ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request: how it was answered (0: not at all), and after how many seconds."""

    status: int
    code: str
    seconds: float
    at: float


@dataclass
class Desk:
    """One venue's desk: its clients share connections and a token, and everything they do is recorded.

    Args:
        processes: Clients of each process; a request goes to the next one when one doesn't answer.
    """

    member: Member
    processes: Sequence[httpx2.AsyncClient]
    recorder: Recorder
    patience_s: float = PATIENCE_S
    attempts: list[Attempt] = field(default_factory=list)

    async def decide(self, ref: str, quantity: int = 1) -> dict[str, Any] | None:
        """Ask for a purchase until there is an answer; None if there never is."""
        number = self.recorder.invoke("decide", buyer=self.name_holder(ref), quantity=quantity)
        headers = {"Idempotency-Key": f"key-{number}"}
        answer = await self.persist("POST", "/v1/transfers", purchase(ref, quantity), headers)
        if answer is None:
            self.recorder.unknown(number)
            return None
        assert answer.status_code == 200, answer.text
        decision: dict[str, Any] = answer.json()
        self.recorder.ok(number, _describe_decision(decision))
        return decision

    async def settle(self, decision_id: str) -> str | None:
        """Settle; return how the reservation ended."""
        return await self._end("settle", decision_id, {"reference": "settled by test"})

    async def void(self, decision_id: str) -> str | None:
        """Give up; return how the reservation ended."""
        return await self._end("void", decision_id, {"reason": "given up by test"})

    async def read(self, path: str) -> dict[str, Any]:
        """Read, recorded as an operation of the register: holders and slots promised."""
        number = self.recorder.invoke("read")
        answer = await self.persist("GET", path, None, {})
        if answer is None or answer.status_code != 200:
            self.recorder.fail(number)
            return {}
        found: dict[str, Any] = answer.json()
        self.recorder.ok(number, {"holders": found["holders"], "reserved": found["reserved"]})
        return found

    async def _end(self, what: str, decision_id: str, body: dict[str, str]) -> str | None:
        number = self.recorder.invoke(what, id=decision_id)
        answer = await self.persist("POST", f"/v1/transfers/{decision_id}/{what}", body, {})
        if answer is None:
            self.recorder.unknown(number)
            return None
        state = _read_ending(answer)
        self.recorder.ok(number, {"state": state})
        return state

    def name_holder(self, ref: str) -> str:
        """Return what tells this venue's investor from another's of the same ref."""
        return f"{self.member.name}/{ref}"

    async def persist(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx2.Response | None:
        """Send until somebody answers for good; another process is tried after each failure."""
        order = itertools.cycle(random.sample(self.processes, len(self.processes)))
        deadline = time.monotonic() + self.patience_s
        for process in order:
            answer = await self.attempt(process, method, path, body, headers)
            if answer is not None and answer.status_code == 401:
                await self._renew(process)
            elif answer is not None and answer.status_code < 500 and not _is_running(answer):
                return answer
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(RETRY_S)
        return None

    async def _renew(self, process: httpx2.AsyncClient) -> None:
        with suppress(httpx2.HTTPError, AssertionError):  # the next try tells
            await self.member.authorize(process, anew=True)

    async def attempt(
        self, process: httpx2.AsyncClient, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> httpx2.Response | None:
        """Send one request; None if it was not answered."""
        started, at = time.monotonic(), time.time()
        access = self.member.known_headers()
        try:
            answer = await process.request(method, path, json=body, headers=access | headers, timeout=ANSWER_S)
        except httpx2.HTTPError as error:
            self.attempts.append(Attempt(0, type(error).__name__, time.monotonic() - started, at))
            return None
        assert answer.status_code < 500 or answer.status_code == 503, f"{method} {path}: {answer.text}"
        code = "" if answer.is_success else str(answer.json().get("code"))
        self.attempts.append(Attempt(answer.status_code, code, time.monotonic() - started, at))
        return answer


def _is_running(answer: httpx2.Response) -> bool:
    return answer.status_code == 409 and answer.json()["code"] == "request_in_progress"


def _describe_decision(decision: dict[str, Any]) -> dict[str, Any]:
    said = {"outcome": decision["outcome"], "id": decision["id"], "at": seconds_of(decision["decided_at"])}
    if decision["outcome"] == "permit":
        return said | {"expires_at": seconds_of(decision["expires_at"])}
    return said | {"reasons": sorted({REASONS.get(each["code"], each["code"]) for each in decision["reasons"]})}


def _read_ending(answer: httpx2.Response) -> str:
    body = answer.json()
    if answer.status_code == 200:
        return str(body["reservation"]["state"])
    assert answer.status_code == 409, answer.text
    if body["code"] == "settlement_refused":
        return "void"
    assert body["code"] == "reservation_ended", answer.text
    return str(body["detail"].rstrip(".").rpartition(" ")[2])


def seconds_of(instant: str) -> float:
    """Return an RFC 3339 instant as seconds since the epoch."""
    return datetime.fromisoformat(instant).timestamp()
