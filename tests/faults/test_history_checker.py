"""The checker itself: good histories have an explanation, each kind of bad one has none."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.checker import check_history
from tests.faults.history import Recorder, build_operations, read_history
from tests.faults.register_model import Register

EMPTY = Register(cap=2, issued=1000)


class Story:
    """Builds a history line by line; each operation takes from ``since`` to ``until``."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.count = 0

    def tell(self, what: str, since: float, until: float | None, answer: Any = None, **asked: Any) -> "Story":
        number, self.count = self.count, self.count + 1
        self.events.append({"op": number, "type": "invoke", "at": since, "what": what, "asked": asked})
        if until is not None:
            self.events.append({"op": number, "type": "ok", "at": until, "answer": answer})
        return self

    def permit(self, buyer: str, since: float, until: float, **more: Any) -> "Story":
        at = more.pop("at", (since + until) / 2)
        answer = {"outcome": "permit", "id": more.pop("id", f"t-{buyer}"), "at": at}
        answer["expires_at"] = more.pop("expires_at", at + 60)
        return self.tell("decide", since, until, answer, **{"buyer": buyer, "quantity": 10} | more)

    def deny(self, buyer: str, since: float, until: float, *reasons: str, **more: Any) -> "Story":
        answer = {"outcome": "deny", "at": more.pop("at", (since + until) / 2), "reasons": list(reasons)}
        return self.tell("decide", since, until, answer, **{"buyer": buyer, "quantity": 10} | more)

    def settle(self, decision: str, since: float, until: float, state: str = "settled") -> "Story":
        return self.tell("settle", since, until, {"state": state}, id=decision)

    def void(self, decision: str, since: float, until: float, state: str = "void") -> "Story":
        return self.tell("void", since, until, {"state": state}, id=decision)

    def read(self, since: float, until: float, holders: int, reserved: int) -> "Story":
        return self.tell("read", since, until, {"holders": holders, "reserved": reserved})

    def unheard(self, what: str, since: float, **asked: Any) -> "Story":
        return self.tell(what, since, None, **asked)

    def is_explained(self, register: Register = EMPTY) -> bool:
        return check_history(build_operations(self.events), register).order is not None


GOOD = {
    "nothing": Story(),
    "up to the cap and no further": Story().permit("a", 0, 1).permit("b", 2, 3).deny("c", 4, 5, "cap"),
    "told out of order while they overlap": Story().deny("c", 0, 9, "cap", at=8).permit("a", 1, 5).permit("b", 2, 6),
    "one investor holds one slot": Story().permit("a", 0, 1).permit("a", 2, 3, id="t2").permit("b", 4, 5),
    "a void frees a slot": Story().permit("a", 0, 1).permit("b", 0, 1).void("t-a", 2, 3).permit("c", 4, 5),
    "an expiry frees a slot": Story().permit("a", 0, 1).permit("b", 0, 1).permit("c", 61, 62, at=61.5),
    "settled and read": Story().permit("a", 0, 1).settle("t-a", 2, 3).read(4, 5, 1, 0),
    "read while it settles": Story().permit("a", 0, 1).settle("t-a", 2, 9).read(3, 4, 0, 1).read(5, 6, 1, 0),
    "settled twice, told the same": Story().permit("a", 0, 1).settle("t-a", 2, 5).settle("t-a", 2, 5),
    "settled too late": Story().permit("a", 0, 1).settle("t-a", 70, 71, "expired"),
    "settled after a void": Story().permit("a", 0, 1).void("t-a", 2, 3).settle("t-a", 4, 5, "void"),
    "not enough is left": Story().permit("a", 0, 1, quantity=600).deny("b", 2, 3, "quantity", quantity=600),
    "a resale": Story().permit("a", 0, 1).settle("t-a", 2, 3).permit("b", 4, 5, seller="a", quantity=4),
    "all is sold, so no slot is taken": Story()
    .permit("a", 0, 1)
    .settle("t-a", 2, 3)
    .permit("b", 4, 5)
    .permit("c", 6, 7, seller="a", quantity=10),
    "unheard, and it happened": Story()
    .unheard("decide", 0, buyer="a", quantity=10)
    .permit("b", 1, 2)
    .deny("c", 3, 4, "cap"),
    "unheard, and it didn't": Story().unheard("decide", 0, buyer="a", quantity=10).permit("b", 1, 2).permit("c", 3, 4),
    "unheard, and it expired": Story()
    .unheard("decide", 0, buyer="a", quantity=10)
    .permit("b", 1, 2)
    .deny("c", 3, 4, "cap")
    .permit("c", 5, 6),
    "an unheard void": Story().permit("a", 0, 1).permit("b", 0, 1).unheard("void", 2, id="t-a").permit("c", 3, 4),
    "revoked, then denied": Story().tell("revoke", 0, 1, {}, investor="a").deny("a", 2, 3, "revoked"),
    "permitted while it is revoked": Story().tell("revoke", 0, 9, {}, investor="a").permit("a", 2, 3),
    "revoked between permit and settlement": Story()
    .permit("a", 0, 1)
    .tell("revoke", 2, 3, {}, investor="a")
    .settle("t-a", 4, 5, "void"),
}

BAD = {
    "above the cap": Story().permit("a", 0, 1).permit("b", 2, 3).permit("c", 4, 5),
    "above the cap, all at once": Story().permit("a", 0, 9, at=4).permit("b", 1, 8, at=4).permit("c", 2, 7, at=4),
    "below the cap, denied": Story().permit("a", 0, 1).deny("c", 2, 3, "cap"),
    "a lost permit": Story().permit("a", 0, 1).read(2, 3, 0, 0),
    "a lost settlement": Story().permit("a", 0, 1).settle("t-a", 2, 3).permit("b", 65, 66).permit("c", 67, 68),
    "one decision given twice": Story().permit("a", 0, 1).permit("b", 2, 3, id="t-a"),
    "settled twice, counted twice": Story()
    .permit("a", 0, 1, quantity=600)
    .settle("t-a", 2, 3)
    .settle("t-a", 4, 5)
    .deny("b", 6, 7, "quantity", quantity=300),
    "settled after a void": Story().permit("a", 0, 1).void("t-a", 2, 3).settle("t-a", 4, 5),
    "voided after settling": Story().permit("a", 0, 1).settle("t-a", 2, 3).void("t-a", 4, 5),
    "settled and void at once": Story().permit("a", 0, 1).settle("t-a", 2, 5).void("t-a", 2, 5),
    "settled after it expired": Story().permit("a", 0, 1).permit("b", 70, 71, at=70.5).settle("t-a", 72, 73),
    "expired too early": Story().permit("a", 0, 1).void("t-a", 2, 3, "expired").permit("b", 4, 5, at=4.5),
    "ended, never permitted": Story().settle("t-a", 0, 1),
    "permitted after an acknowledged revocation": Story().tell("revoke", 0, 1, {}, investor="a").permit("a", 2, 3),
    "settled after an acknowledged revocation": Story()
    .permit("a", 0, 1)
    .tell("revoke", 2, 3, {}, investor="a")
    .settle("t-a", 4, 5),
    "denied for a revocation that never was": Story().deny("a", 0, 1, "revoked"),
    "a stale read": Story().permit("a", 0, 1).settle("t-a", 2, 3).read(4, 5, 0, 1),
    "a read that goes back": Story().permit("a", 0, 1).settle("t-a", 2, 9).read(3, 4, 1, 0).read(5, 6, 0, 1),
    "a decision older than one that was told before": Story().permit("a", 0, 1, at=0.5).permit("b", 2, 3, at=0.2),
    "more than was issued": Story().permit("a", 0, 1, quantity=600).permit("b", 2, 3, quantity=600),
    "sold twice": Story()
    .permit("a", 0, 1)
    .settle("t-a", 2, 3)
    .permit("b", 4, 5, seller="a", quantity=6)
    .permit("b", 6, 7, seller="a", quantity=6, id="t2"),
    "a reason that isn't one": Story().permit("a", 0, 1).permit("b", 0, 1).deny("c", 2, 3, "cap", "quantity"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_explained(name: str) -> None:
    assert GOOD[name].is_explained()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_has_no_explanation(name: str) -> None:
    assert not BAD[name].is_explained()


def test_a_long_history_of_many_clients_is_walked_straight_through() -> None:
    story = Story()
    for number in range(600):
        since = number // 64
        answered = {"since": since, "until": since + 1, "at": since + number % 64 / 100}
        (story.permit if number < 100 else story.deny)(f"i{number}", *_spread(answered, number))
    verdict = check_history(build_operations(story.events), Register(cap=100, issued=10**9))
    assert verdict.order is not None
    assert verdict.steps == 601


def _spread(answered: dict[str, Any], number: int) -> tuple[Any, ...]:
    reasons = () if number < 100 else ("cap",)
    return (answered["since"], answered["until"], *reasons)


def test_what_cannot_be_explained_is_named() -> None:
    verdict = check_history(build_operations(BAD["above the cap"].events), EMPTY)
    assert "after 2 operations (0 holders, 2 promised, 2 held)" in verdict.complaint
    assert "'buyer': 'c'" in verdict.complaint


def test_a_recorded_history_is_read_back(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history.jsonl")
    first, second, third = (recorder.invoke("decide", buyer=ref, quantity=1) for ref in "abc")
    recorder.ok(second, {"outcome": "deny", "at": 1.0, "reasons": ["cap"]})
    recorder.fail(first)
    recorder.unknown(third)
    recorder.hint(second, 1.5)
    answered, unanswered = read_history(tmp_path / "history.jsonl")
    assert (answered.id, answered.answer, answered.hint) == (
        second,
        {"outcome": "deny", "at": 1.0, "reasons": ["cap"]},
        1.5,
    )
    assert answered.invoked_at <= answered.completed_at
    assert (unanswered.id, unanswered.is_optional) == (third, True)
