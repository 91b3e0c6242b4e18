"""What happened against what the rules answer, gathered by reason."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.cli.shadow_trades import OUTCOMES, Trade
from service.rules.catalog import REGIMES

KINDS: Mapping[str, str] = {
    "settled_denied": "settled, but the rules deny",
    "rejected_permitted": "rejected, but the rules permit",
    "review": "a person must decide",
    "unjudged": "cannot be judged: facts are missing",
    "both_denied": "agreed: rejected, and the rules deny",
    "both_permitted": "agreed: settled, and the rules permit",
}
"""How a trade and its answer can stand to each other, worst first."""
AGREED = ("both_denied", "both_permitted")
COLUMNS = ("permit", "deny", "review", "unjudged")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rules say to one trade.

    Attributes:
        outcome: ``permit``, ``deny`` or ``review``.
        regime: Regime under which it was judged, None if the trade does not name it.
        route: Exemption that carries a permitted resale.
        reasons: Each with code, basis, citation, message, evidence and remedy, as JSON values.
    """

    outcome: str
    regime: str | None
    route: str | None
    reasons: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Group:
    """Trades of one kind that share a reason."""

    kind: str
    code: str | None
    party: str | None
    basis: str | None
    citation: str
    message: str
    rows: list[int] = field(default_factory=list)
    example: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return the group as JSON values."""
        return {
            **{name: getattr(self, name) for name in ("kind", "code", "party", "basis", "citation", "message")},
            "count": len(self.rows),
            "rows": self.rows,
            "example": self.example,
        }


def classify(happened: str, answer: Answer) -> str:
    """Return the kind of a trade that ``happened`` to be settled or rejected."""
    if answer.outcome == "deny" and all(reason["code"] == "INPUT_MISSING" for reason in answer.reasons):
        return "unjudged"
    if answer.outcome == "review":
        return "review"
    if answer.outcome == "permit":
        return "both_permitted" if happened == "settled" else "rejected_permitted"
    return "settled_denied" if happened == "settled" else "both_denied"


def compare(answers: Iterable[tuple[Trade, Answer]]) -> dict[str, Any]:
    """Gather what agrees and what does not.

    Returns:
        ``trades``, ``agreed``, ``disagreed``, ``for_review``, ``unjudged``; ``matrix`` from what happened to numbers by
        answer; ``groups``, worst kind first and the largest first within it. A trade with several reasons is in a
        group for each.
    """
    groups: dict[tuple[Any, ...], Group] = {}
    kinds: Counter[str] = Counter()
    matrix = {happened: Counter(dict.fromkeys(COLUMNS, 0)) for happened in OUTCOMES}
    for trade, answer in answers:
        kind = classify(trade.told["outcome"], answer)
        kinds[kind] += 1
        matrix[trade.told["outcome"]]["unjudged" if kind == "unjudged" else answer.outcome] += 1
        for found in _list_groups(kind, trade, answer):
            key = (kind, found.code, found.party, found.basis, found.citation, found.message)
            rows = groups.setdefault(key, found).rows
            rows.extend([trade.row] if rows[-1:] != [trade.row] else [])
    return {
        "trades": kinds.total(),
        "agreed": sum(kinds[kind] for kind in AGREED),
        "disagreed": kinds["settled_denied"] + kinds["rejected_permitted"],
        "for_review": kinds["review"],
        "unjudged": kinds["unjudged"],
        "matrix": {happened: dict(numbers) for happened, numbers in matrix.items()},
        "groups": [group.describe() for group in sorted(groups.values(), key=_rank)],
    }


def _rank(group: Group) -> tuple[Any, ...]:
    return list(KINDS).index(group.kind), -len(group.rows), group.code or "", group.citation, group.message


def _list_groups(kind: str, trade: Trade, answer: Answer) -> Iterator[Group]:
    if not answer.reasons:
        regime = REGIMES.get(answer.regime or "")
        under, through = f" under {regime.id}" if regime else "", f", through {answer.route}" if answer.route else ""
        message, citation = f"No restriction found{under}{through}.", regime.citation if regime else ""
        yield Group(kind, None, None, None, citation, message, example=_illustrate(trade, answer))
    for reason in answer.reasons:
        missing = f" Missing: {reason['evidence']['field']}." if reason["evidence"].get("field") else ""
        yield Group(
            kind,
            reason["code"],
            reason["party"],
            reason["basis"],
            reason["citation"],
            f"{reason['message']}{missing}",
            example=_illustrate(trade, answer, reason),
        )


def _illustrate(trade: Trade, answer: Answer, reason: Mapping[str, Any] | None = None) -> dict[str, Any]:
    told = {name: str(trade.told[name]) for name in ("reference", "trade_date", "action") if name in trade.told}
    shown: dict[str, Any] = {"row": trade.row, **told, "regime": answer.regime}
    if reason:
        shown |= {"evidence": reason["evidence"], "remedy": reason["remedy"]}
    return shown
