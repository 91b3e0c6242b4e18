"""A register of one security that one thread keeps, as small as it can be: what answers are possible, in what order.

It knows holder slots, unissued quantity, positions, reservations that end once, and investors whose credential was
revoked. It knows neither HTTP nor the service's tables; times are seconds since the epoch, by the service's clock.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.faults.history import Operation

CAP, QUANTITY, REVOKED = "cap", "quantity", "revoked"
Asked = Mapping[str, Any]
Answer = Mapping[str, Any]
CLOCK_TOLERANCE_S = 10.0
"""How far the service's clock may be ahead of a client's: nothing has expired in an answer's future."""
RESOLUTION_S = 0.001
"""Answers name milliseconds: what expires within the one that is named may have expired, or not yet."""
HELD, SETTLED, VOID, EXPIRED = "held", "settled", "void", "expired"


@dataclass(frozen=True, slots=True)
class Hold:
    """What one permit promises."""

    seller: str | None
    buyer: str
    quantity: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Register:
    """The state between two operations; never changed in place.

    Attributes:
        cap: How many may hold, or be promised to.
        issued: The most that may be outstanding or promised.
        now: The latest instant that an answer has named; none may name an earlier one.
        positions: Quantity by holder; holders with nothing are absent.
        holds: Reservations that have not ended, by id of their decision.
        ended: How the others ended.
    """

    cap: int
    issued: int
    now: float = 0.0
    positions: Mapping[str, int] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    ended: Mapping[str, str] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()

    def holders(self) -> int:
        return len(self.positions)

    def promised_holders(self) -> int:
        return len({hold.buyer for hold in self.holds.values()} - self.positions.keys())

    def fingerprint(self) -> Any:
        """Return what two equal states share."""
        return (
            self.now,
            frozenset(self.positions.items()),
            frozenset(self.holds.items()),
            frozenset(self.ended.items()),
            self.revoked,
        )

    def apply(self, operation: Operation) -> Iterator["Register"]:
        """Yield every state that the operation may leave, if its answer is possible now; most likely first."""
        if operation.answer is None:
            yield from _apply_unanswered(self, operation)
        else:
            latest = operation.completed_at + CLOCK_TOLERANCE_S
            for state in self._follow_hint(operation):
                yield from _APPLY[operation.what](state, operation.asked, operation.answer, latest)

    def _follow_hint(self, operation: Operation) -> Iterator["Register"]:
        """Yield the state at the instant that the record names, then the state as if it named none."""
        if operation.hint is not None and operation.hint > self.now:
            yield from self.pass_time(operation.hint)
        yield self

    def advance(self, now: float) -> "Register":
        """Let time pass; what is overdue has expired."""
        overdue = {key for key, hold in self.holds.items() if hold.expires_at <= now}
        return replace(self, now=now)._end(overdue, EXPIRED)

    def pass_time(self, at: float) -> Iterator["Register"]:
        """Yield the states that may be found at an instant that an answer named."""
        yield self.advance(at)
        if any(at - RESOLUTION_S < hold.expires_at <= at for hold in self.holds.values()):
            yield replace(self.advance(at - RESOLUTION_S), now=at)

    def _end(self, keys: set[str], state: str) -> "Register":
        if not keys:
            return self
        holds = {key: hold for key, hold in self.holds.items() if key not in keys}
        return replace(self, holds=holds, ended={**self.ended, **dict.fromkeys(keys, state)})

    def find_obstacles(self, seller: str | None, buyer: str, quantity: int) -> set[str]:
        """Return everything that forbids a transfer."""
        found = {REVOKED} if {seller, buyer} & self.revoked else set()
        if quantity > self._available(seller):
            found.add(QUANTITY)
        takes_slot = buyer not in self.positions and all(hold.buyer != buyer for hold in self.holds.values())
        leaves = seller is not None and self.positions.get(seller, 0) == quantity
        if takes_slot and not leaves and self.holders() + self.promised_holders() >= self.cap:
            found.add(CAP)
        return found

    def _available(self, seller: str | None) -> int:
        promised = sum(hold.quantity for hold in self.holds.values() if hold.seller == seller)
        held = self.issued - sum(self.positions.values()) if seller is None else self.positions.get(seller, 0)
        return held - promised


def _apply_decide(before: Register, asked: Asked, answer: Answer, latest: float) -> Iterator[Register]:
    if not before.now <= answer["at"] <= latest:
        return
    for state in before.pass_time(answer["at"]):
        obstacles = state.find_obstacles(asked.get("seller"), asked["buyer"], asked["quantity"])
        if answer["outcome"] != "permit":
            if obstacles and obstacles == set(answer["reasons"]):
                yield state
        elif not obstacles and answer["id"] not in state.holds and answer["id"] not in state.ended:
            hold = Hold(asked.get("seller"), asked["buyer"], asked["quantity"], answer["expires_at"])
            yield replace(state, holds={**state.holds, answer["id"]: hold})


def _apply_settle(before: Register, asked: Asked, answer: Answer, latest: float) -> Iterator[Register]:
    yield from _apply_ending(before, asked["id"], answer["state"], SETTLED, latest)


def _apply_void(before: Register, asked: Asked, answer: Answer, latest: float) -> Iterator[Register]:
    yield from _apply_ending(before, asked["id"], answer["state"], VOID, latest)


def _apply_ending(before: Register, key: str, answered: str, wanted: str, latest: float) -> Iterator[Register]:
    hold = before.holds.get(key)
    if hold is None:
        if before.ended.get(key) == answered:
            yield before
        return
    if answered == EXPIRED:
        if hold.expires_at <= latest:
            yield before.advance(max(before.now, hold.expires_at))
        return
    is_refused = bool({hold.seller, hold.buyer} & before.revoked) and wanted == SETTLED
    if answered == VOID and (wanted == VOID or is_refused):
        yield before._end({key}, VOID)
    elif answered == SETTLED == wanted and not is_refused:
        yield _settle(before, key, hold)


def _settle(before: Register, key: str, hold: Hold) -> Register:
    positions = dict(before.positions)
    positions[hold.buyer] = positions.get(hold.buyer, 0) + hold.quantity
    if hold.seller is not None:
        positions[hold.seller] -= hold.quantity
    left = {holder: quantity for holder, quantity in positions.items() if quantity}
    return replace(before._end({key}, SETTLED), positions=left)


def _apply_revoke(before: Register, asked: Asked, _answer: Answer, _latest: float) -> Iterator[Register]:
    yield replace(before, revoked=before.revoked | {asked["investor"]})


def _apply_read(before: Register, _asked: Asked, answer: Answer, latest: float) -> Iterator[Register]:
    """A reader may know that time has passed, or not yet."""
    ends = sorted({hold.expires_at for hold in before.holds.values() if hold.expires_at <= latest})
    for state in (before, *(before.advance(max(before.now, end)) for end in ends)):
        if (state.holders(), state.promised_holders()) == (answer["holders"], answer["reserved"]):
            yield state


def _apply_unanswered(before: Register, operation: Operation) -> Iterator[Register]:
    """It may have happened, with an answer that nobody heard; that it may not have, the search knows."""
    asked = operation.asked
    match operation.what:
        case "decide":
            answer = {"outcome": "permit", "id": _unheard(operation), "at": before.now, "expires_at": math.inf}
            yield from _apply_decide(before, asked, answer, math.inf)
        case "lapse" if asked["id"] in before.holds:
            yield before._end({asked["id"]}, EXPIRED)
        case "settle":
            for state in (SETTLED, VOID):
                yield from _apply_settle(before, asked, {"state": state}, math.inf)
        case "void":
            yield from _apply_void(before, asked, {"state": VOID}, math.inf)
        case "revoke":
            yield from _apply_revoke(before, asked, {}, math.inf)


def _unheard(operation: Operation) -> str:
    return f"unheard-{operation.id}"


def add_lapses(operations: Sequence[Operation]) -> list[Operation]:
    """Let permits that nobody heard of expire some time: when, only their answer would have told."""
    lapses = [
        Operation(-1 - each.id, "lapse", {"id": _unheard(each)}, each.invoked_at)
        for each in operations
        if each.what == "decide" and each.answer is None
    ]
    return [*operations, *lapses]


_APPLY = {
    "decide": _apply_decide,
    "settle": _apply_settle,
    "void": _apply_void,
    "revoke": _apply_revoke,
    "read": _apply_read,
}
