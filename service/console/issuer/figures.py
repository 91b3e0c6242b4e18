"""The form of a rule's figures, made from the rule's own description."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from service.console.issuer.fields import AMOUNT, CHOICE, DAY, FLAG, TEXT, WHOLE, Field
from service.console.translation import find_text
from service.console.values import name_value
from service.errors import ServiceError
from service.issuer.case_review import INVESTMENT_LIMIT, QUALIFIED_INVESTOR
from service.rules.catalog import LIMITS, TESTS
from service.rules.law import CURRENT_LAW
from service.rules.schema import Choice, Shape, read_day, read_flag, read_string, read_whole
from service.rules.worksheet import InvestorLimit, InvestorTest

Rule = InvestorTest | InvestorLimit
_KINDS: Mapping[Any, str] = {read_flag: FLAG, read_day: DAY, read_string: TEXT, read_whole: WHOLE}
_NO_MONEY = frozenset(
    {"angel_network_months", "avg_trades_per_quarter", "executive_months", "joint_other_share", "sector_years"}
)
_NAMED = re.compile(r"\bfigures\.(\w+)")


def list_rules(configuration_id: str) -> dict[str, list[Rule]]:
    """Return the rules that a case of this type can be reviewed by, by jurisdiction."""
    found: Sequence[Rule] = []
    if configuration_id == QUALIFIED_INVESTOR:
        found = [test for test in TESTS.values() if test.category is not None]
    elif configuration_id == INVESTMENT_LIMIT:
        found = [limit for limit in LIMITS.values() if limit.currency is not None]
    grouped: dict[str, list[Rule]] = {}
    for rule in sorted(found, key=lambda each: each.id):
        if CURRENT_LAW.knows(rule.since, rule.pending):
            grouped.setdefault(rule.id.partition(".")[0], []).append(rule)
    return grouped


def find_rule(configuration_id: str, rule_id: str) -> Rule | None:
    """Return one of them, None for an id that is none."""
    rules = (rule for group in list_rules(configuration_id).values() for rule in group)
    return next((rule for rule in rules if rule.id == rule_id), None)


def name_rule(language: str, rule: Rule) -> str:
    """Return a rule's title in a language."""
    return find_text(language, f"rules.{rule.id}") or rule.title


def describe_figures(rule: Rule, language: str) -> list[Field]:
    """Return the fields of a rule's figures, amounts first and questions last."""
    fields = [_describe(name, shape, rule, language) for name, shape in rule.figures.items()]
    return sorted(fields, key=lambda each: (each.kind == FLAG, each.kind in (CHOICE, TEXT)))


def name_figure(language: str, name: str) -> str:
    """Return what a figure is called."""
    return find_text(language, f"figures.{name}") or name.replace("_", " ").capitalize()


def list_thresholds(rule: Rule, language: str) -> list[tuple[str, str]]:
    """Return the name and the value of each threshold that is the same on every day."""
    fixed = ((name, value) for name, value in rule.parameters.items() if isinstance(value, str))
    return [(find_text(language, f"thresholds.{name}") or name, _show(value)) for name, value in fixed]


def _show(value: str) -> str:
    return f"{int(value):,}" if value.isdecimal() else value


def fill_in(rule: Rule, values: Mapping[str, Any]) -> dict[str, Any]:
    """Say of every figure that was left empty that there is none; a rule that needs it refuses that."""
    return {name: values.get(name) for name in rule.figures}


def find_figures_named(error: ServiceError) -> list[str]:
    """Return the figures that an error of the computation is about."""
    return _NAMED.findall(error.detail)


def _describe(name: str, shape: Shape, rule: Rule, language: str) -> Field:
    kind = CHOICE if isinstance(shape, Choice) else _KINDS.get(shape, AMOUNT)
    label = name_figure(language, name)
    if kind == AMOUNT and rule.currency is not None and name not in _NO_MONEY:
        label = f"{label} ({rule.currency})"
    choices = shape.allowed if isinstance(shape, Choice) else ()
    named = {each: name_value(language, name, each) for each in choices}
    return Field(name=name, kind=kind, label=label, choices=choices, choice_labels=named)
