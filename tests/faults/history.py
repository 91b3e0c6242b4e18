"""What clients asked and what they were told, one line of JSON for each event, with the time of the client's clock.

An operation begins with ``invoke`` and ends with ``ok`` (it was answered), ``fail`` (it surely did nothing) or
``unknown`` (nobody answered: it may have happened, then or later). Several tries under one idempotency key are one
operation. ``hint`` says when the service's own record places an operation; it helps the search and proves nothing.
"""

import itertools
import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

INVOKE, OK, FAIL, UNKNOWN, HINT = "invoke", "ok", "fail", "unknown", "hint"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as its client saw it.

    Attributes:
        what: ``decide``, ``settle``, ``void``, ``revoke`` or ``read``.
        asked: Its arguments.
        invoked_at: Seconds since the epoch.
        completed_at: Likewise; infinite if no answer came.
        answer: None if no answer came.
        hint: When the service says it happened; None if it doesn't.
    """

    id: int
    what: str
    asked: dict[str, Any]
    invoked_at: float
    completed_at: float = math.inf
    answer: dict[str, Any] | None = None
    hint: float | None = None

    @property
    def is_optional(self) -> bool:
        return self.answer is None


@dataclass
class Recorder:
    """Writes events as they happen; safe between tasks of one event loop."""

    path: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def invoke(self, what: str, **asked: Any) -> int:
        number = next(self._numbers)
        self._write(number, INVOKE, what=what, asked=asked)
        return number

    def ok(self, number: int, answer: dict[str, Any]) -> None:
        self._write(number, OK, answer=answer)

    def fail(self, number: int) -> None:
        self._write(number, FAIL)

    def unknown(self, number: int) -> None:
        self._write(number, UNKNOWN)

    def hint(self, number: int, at: float) -> None:
        self._write(number, HINT, hint=at)

    def _write(self, number: int, event: str, **more: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"op": number, "type": event, "at": time.time(), **more}) + "\n")


def read_history(path: Path) -> list[Operation]:
    """Read a file that a recorder wrote."""
    with path.open(encoding="utf-8") as file:
        return build_operations(json.loads(line) for line in file)


def build_operations(events: Iterable[dict[str, Any]]) -> list[Operation]:
    """Put events together; what surely did nothing is left out."""
    operations: dict[int, Operation] = {}
    for event in events:
        number = event["op"]
        match event["type"]:
            case "invoke":
                operations[number] = Operation(number, event["what"], event["asked"], event["at"])
            case "ok":
                operations[number] = replace(operations[number], completed_at=event["at"], answer=event["answer"])
            case "hint":
                operations[number] = replace(operations[number], hint=event["hint"])
            case "fail":
                del operations[number]
            case "unknown":
                pass  # as if it still ran
    return list(operations.values())
