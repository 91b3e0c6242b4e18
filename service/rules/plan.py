"""Which checks run for a transfer: chosen once for all days between two changes of the rules."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from service.rules.catalog import ALWAYS_RULES, REGIMES
from service.rules.dates import add_days
from service.rules.law import Law
from service.rules.rule import Finding, Regime, Rule, is_unwilling

_Idle = tuple[str, str, object]
"""Part of the facts, name in it, and the value with which a check finds nothing."""
Check = tuple[Rule, str | None, Callable[..., Iterator[Finding]], _Idle | None]
"""A rule, the role of the party that it checks (None: the whole transfer), its generator, and when that is idle."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What applies to the transfers of one regime and action.

    Attributes:
        checks: In the order of evaluation.
        in_force: Whether the regime can be used.
        rests_on_unconfirmed: Whether the regime or a rule is of confidence L.
    """

    checks: tuple[Check, ...]
    in_force: bool
    rests_on_unconfirmed: bool


def plan_checks(regime: Regime, action: str, roles: tuple[str, ...], law: Law, day: date) -> Plan:
    """Return what applies on a day to a transfer between parties of these roles."""
    return _plan_since(regime.id, action, roles, law, _CHANGES[bisect_right(_CHANGES, day) - 1])


def _list_changes() -> list[date]:
    """Return the days from which on other rules apply than the day before, oldest first."""
    rules = (rule for regime in REGIMES.values() for rule in regime.rules)
    texts: tuple[Rule | Regime, ...] = (*ALWAYS_RULES, *REGIMES.values(), *rules)
    first_days = {text.effective_from for text in texts if text.effective_from}
    days_after = {add_days(text.effective_to, 1) for text in texts if text.effective_to}
    return sorted({date.min, *first_days, *days_after})


_CHANGES = _list_changes()


@lru_cache(maxsize=4096)  # all that a deployment meets; facts from outside must not fill the memory
def _plan_since(regime_id: str, action: str, roles: tuple[str, ...], law: Law, day: date) -> Plan:
    regime = REGIMES[regime_id]
    rules = [
        rule
        for rule in (*ALWAYS_RULES, *regime.rules)
        if action in rule.actions and rule.is_known(law) and rule.is_in_force(day)
    ]
    return Plan(
        checks=tuple(check for rule in rules for check in _list_checks(rule, action, roles)),
        in_force=regime.is_in_force(day),
        rests_on_unconfirmed="L" in {regime.confidence, *(rule.confidence for rule in rules)},
    )


def _list_checks(rule: Rule, action: str, roles: tuple[str, ...]) -> Iterator[Check]:
    if rule.check:
        yield rule, None, rule.check, _resolve_idle(rule, "")
    elif rule.check_party:
        bound = (role for role in roles if rule.binds_unwilling or not is_unwilling(role, action))
        yield from ((rule, role, rule.check_party, _resolve_idle(rule, role)) for role in bound)


def _resolve_idle(rule: Rule, role: str) -> _Idle | None:
    if rule.idle_if is None:
        return None
    path, value = rule.idle_if
    part, _, name = path.partition(".")
    return role if part == "*" else part, name, value
