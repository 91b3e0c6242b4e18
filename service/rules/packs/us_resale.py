"""Resale of restricted securities: a group of exemptions of which one must be open.

A route that fails gives no reason of its own; the group gives one. What a route still needs to know matters only
when no other route is open.

Source: rules.yaml, actions.secondary; FACTS.md, "Order of reasons".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from service.rules.decision import Remedy, Value
from service.rules.facts import Facts, MissingFactError
from service.rules.rule import AtMost, Deny, Finding, Note, Require, Through


@dataclass(slots=True)
class Attempt:
    """How far one route carried.

    Attributes:
        notes: Values computed on the way.
        at_most: Quantity that the route lets pass now; None if it sets no bound.
        opens_on: First day on which waiting alone would open it.
        over_volume: Only the volume limit of Rule 144(e) is in the way.
        missing: The absent fact on which the answer turns.
    """

    route: str
    is_open: bool = False
    notes: dict[str, Value] = field(default_factory=dict)
    obligations: list[str] = field(default_factory=list)
    at_most: int | None = None
    opens_on: date | None = None
    over_volume: bool = False
    missing: MissingFactError | None = None


TryRoute = Callable[[Facts], Attempt]
Steps = Callable[[Facts, Attempt], bool]


def attempt_route(route: str, facts: Facts, steps: Steps) -> Attempt:
    """Try one route; a missing fact is kept in the attempt, since another route may make it irrelevant."""
    attempt = Attempt(route)
    try:
        attempt.is_open = steps(facts, attempt)
    except MissingFactError as error:
        attempt.missing = error
    return attempt


def try_routes(facts: Facts, routes: Sequence[TryRoute]) -> list[Attempt]:
    """Try routes in order and stop at the first that is open."""
    attempts: list[Attempt] = []
    for try_route in routes:
        attempts.append(try_route(facts))
        if attempts[-1].is_open:
            break
    return attempts


def yield_group(attempts: Sequence[Attempt]) -> Iterator[Finding]:
    """Yield what a tried group amounts to: the open route, or the group's one reason.

    Raises:
        MissingFactError: No route is open and one turns on an absent fact.
    """
    for attempt in attempts:
        for name, value in attempt.notes.items():
            yield Note(name, value)
    if attempts[-1].is_open:
        yield from yield_open_route(attempts[-1])
        return
    raise_missing(attempts)
    yield from _yield_reason(attempts)


def raise_missing(attempts: Sequence[Attempt]) -> None:
    """Raise the first absent fact on which one of the attempts turns, if any.

    Raises:
        MissingFactError: There is one.
    """
    for attempt in attempts:
        if attempt.missing:
            raise attempt.missing


def yield_open_route(attempt: Attempt) -> Iterator[Finding]:
    """Yield the route, its obligations and its bound."""
    yield Through(attempt.route)
    for code in attempt.obligations:
        yield Require(code)
    if attempt.at_most is not None:
        yield AtMost(attempt.at_most)


def _yield_reason(attempts: Sequence[Attempt]) -> Iterator[Finding]:
    opens_on = min((attempt.opens_on for attempt in attempts if attempt.opens_on), default=None)
    at_most = max((attempt.at_most for attempt in attempts if attempt.at_most is not None), default=0)
    over_volume = any(attempt.over_volume for attempt in attempts)
    yield Deny(
        "US_144_VOLUME" if over_volume else "US_RESALE_NO_EXEMPTION",
        Remedy("wait_until", at=opens_on) if opens_on else Remedy("none"),
        {"routes_tried": " ".join(attempt.route for attempt in attempts)},
        smaller_may_pass=True,
    )
    yield AtMost(at_most)


def is_gift_for_nothing(facts: Facts) -> bool:
    """Tell whether nothing is paid: a bona fide gift is no sale for value and needs no exemption.

    Source: Securities Act section 2(a)(3).
    """
    return facts.text("action") == "gift" and facts.number("price") == 0
