"""Which checks run for a transfer: chosen once for all days between two changes of the rules."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from service.rules.catalog import ALWAYS_RULES, REGIMES
from service.rules.dates import add_days
from service.rules.facts import Facts
from service.rules.law import Law
from service.rules.rule import Finding, Regime, Rule, is_unwilling

Check = tuple[Rule, str | None, Callable[..., Iterator[Finding]]]
"""A rule, the role of the party that it checks (None: the whole transfer), and its generator."""
_Idle = tuple[str, str, object]
"""Part of the facts, name in it, and the value with which a check finds nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What applies to the transfers of one regime and action.

    Attributes:
        checks: Every check in the order of evaluation, and when it is idle.
        in_force: Whether the regime can be used.
        rests_on_unconfirmed: Whether the regime or a rule is of confidence L.
        never_idle: The checks that are left if all others are idle.
        usual: With what all others are idle: by part of the facts, the names in it and their values.
    """

    checks: tuple[tuple[Check, _Idle | None], ...]
    in_force: bool
    rests_on_unconfirmed: bool
    never_idle: tuple[Check, ...]
    usual: tuple[tuple[str, tuple[str, ...], tuple[object, ...]], ...]

    def choose_checks(self, facts: Facts) -> Sequence[Check]:
        """Return the checks that may find something. Most transfers are of sound parties in an open security."""
        sound = {part for part, names, values in self.usual if facts.say(part, names, values)}
        if len(sound) == len(self.usual):
            return self.never_idle
        return [check for check, idle in self.checks if not (idle and (idle[0] in sound or _is_idle(idle, facts)))]


def _is_idle(idle: _Idle, facts: Facts) -> bool:
    part, name, value = idle
    return facts.say(part, (name,), (value,))


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
    checks = tuple(check for rule in rules for check in _list_checks(rule, action, roles))
    return Plan(
        checks=checks,
        in_force=regime.is_in_force(day),
        rests_on_unconfirmed="L" in {regime.confidence, *(rule.confidence for rule in rules)},
        never_idle=tuple(check for check, idle in checks if not idle),
        usual=_merge_idle([idle for _, idle in checks if idle]),
    )


def _list_checks(rule: Rule, action: str, roles: tuple[str, ...]) -> Iterator[tuple[Check, _Idle | None]]:
    if rule.check:
        yield (rule, None, rule.check), _resolve_idle(rule, "")
    elif rule.check_party:
        bound = (role for role in roles if rule.binds_unwilling or not is_unwilling(role, action))
        yield from (((rule, role, rule.check_party), _resolve_idle(rule, role)) for role in bound)


def _resolve_idle(rule: Rule, role: str) -> _Idle | None:
    if rule.idle_if is None:
        return None
    path, value = rule.idle_if
    part, _, name = path.partition(".")
    return role if part == "*" else part, name, value


def _merge_idle(conditions: Iterable[_Idle]) -> tuple[tuple[str, tuple[str, ...], tuple[object, ...]], ...]:
    """Merge conditions by part of the facts.

    Raises:
        ValueError: Two rules are idle with different values of one fact, so that never all are.
    """
    parts: dict[str, dict[str, object]] = {}
    for part, name, value in conditions:
        if parts.setdefault(part, {}).setdefault(name, value) != value:
            raise ValueError(f"rules are idle with different values of {part}.{name}")
    return tuple((part, tuple(said), tuple(said.values())) for part, said in parts.items())
