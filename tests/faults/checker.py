"""Decide whether some order of the operations, one after the other, explains every answer. Pure.

The search is that of Wing and Gong with Lowe's memory of what was tried. An operation may come next if no other that
is still to come was answered before it was asked, and instants that answers name never go back. Of those, the one that
the service itself places first is tried first; so for a correct service the search walks straight through, and only a
wrong one makes it look around.

Source: J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects" (1993), section 4; G. Lowe, "Testing for
linearizability" (2017), section 3.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.history import Operation
from tests.faults.register_model import Register, add_lapses

MAX_STEPS = 200_000
"""No correct history that we have seen needed more than three steps for an operation."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether there is an explanation.

    Attributes:
        order: Ids of the operations in an order that explains every answer; None if none was found.
        complaint: What could not be explained after the longest explanation of a beginning; empty with an order.
        steps: How many states were tried.
    """

    order: tuple[int, ...] | None
    complaint: str
    steps: int


@dataclass(slots=True)
class _Frame:
    """One place of the search: what is still to come, and what is left to try."""

    done: int
    state: Register
    choices: Iterator[tuple[int, Register]]


def check_history(operations: Sequence[Operation], register: Register) -> Verdict:
    """Look for an order of the operations that the model could have answered likewise.

    Args:
        operations: Those without an answer may have happened at any time since they were asked, or never.
        register: The state before the first of them.
    """
    return _Search(sorted(add_lapses(operations), key=lambda each: each.invoked_at)).run(register)


class _Search:
    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations
        said = [(each.answer["at"], n) for n, each in enumerate(operations) if each.answer and "at" in each.answer]
        self._by_instant = sorted(said)
        self._required = sum(1 << n for n, each in enumerate(operations) if not each.is_optional)
        self._seen = set[tuple[int, object]]()
        self._steps = 0
        self._best = (0, 0, Register(0, 0))

    def run(self, register: Register) -> Verdict:
        path = list[int]()
        frames = [self._open(0, register)]
        while frames and self._steps < MAX_STEPS:
            frame = frames[-1]
            if frame.done & self._required == self._required:
                return Verdict(tuple(path), "", self._steps)
            step = next(frame.choices, None)
            if step is None:
                frames.pop()
                del path[-1:]
                continue
            number, state = step
            frames.append(self._open(frame.done | 1 << number, state))
            path.append(self._operations[number].id)
        return Verdict(None, self._complain(), self._steps)

    def _open(self, done: int, state: Register) -> _Frame:
        self._steps += 1
        if done.bit_count() > self._best[0]:
            self._best = (done.bit_count(), done, state)
        key = (done, state.fingerprint())
        if key in self._seen:
            return _Frame(done, state, iter(()))
        self._seen.add(key)
        if state.now > self._next_instant(done):
            return _Frame(done, state, iter(()))
        return _Frame(done, state, self._try_each(done, state))

    def _try_each(self, done: int, state: Register) -> Iterator[tuple[int, Register]]:
        for number in self._list_next(done):
            for after in state.apply(self._operations[number]):
                yield number, after
                if self._operations[number].what == "read" and after is state:
                    return  # it changes nothing, so nothing is lost by placing it as soon as it fits

    def _list_next(self, done: int) -> list[int]:
        """Return what may come next, most likely first."""
        found, horizon, next_instant = list[int](), math.inf, self._next_instant(done)
        for number in self._list_open(done):
            operation = self._operations[number]
            if operation.invoked_at > horizon:
                break
            if operation.answer is None or operation.answer.get("at", next_instant) <= next_instant:
                found.append(number)
            horizon = min(horizon, operation.completed_at)
        return sorted(found, key=lambda number: _rank(self._operations[number]))

    def _next_instant(self, done: int) -> float:
        """Return the earliest instant that an answer still to come names: none after it may come before."""
        return next((at for at, number in self._by_instant if not done >> number & 1), math.inf)

    def _list_open(self, done: int) -> Iterator[int]:
        first = ((done + 1) & ~done).bit_length() - 1  # everything below is done
        return (n for n in range(first, len(self._operations)) if not done >> n & 1)

    def _complain(self) -> str:
        reached, done, state = self._best
        left = [self._operations[n] for n in self._list_next(done) if not self._operations[n].is_optional]
        answers = "; ".join(f"{each.what} {each.asked} -> {each.answer}" for each in left[:3])
        counts = f"{state.holders()} holders, {state.promised_holders()} promised, {len(state.holds)} held"
        gave_up = f" (gave up after {MAX_STEPS} steps)" if self._steps >= MAX_STEPS else ""
        return f"after {reached} operations ({counts}) nothing explains: {answers}{gave_up}"


def _rank(operation: Operation) -> tuple[float, bool, int]:
    """Order reads first, for they fit rarely; then by the service's own word; and what nobody heard of last.

    Of one instant, permits come before denials.
    """
    if operation.what == "read":
        return (-math.inf, False, operation.id)
    if operation.answer is None:
        return (math.inf, True, operation.id)
    at = operation.answer.get("at", operation.hint)
    denied = operation.answer.get("outcome", "permit") != "permit"
    return (operation.completed_at if at is None else at, denied, operation.id)
