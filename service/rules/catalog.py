"""Every rule, the regimes, tests and limits by id, and the identity of a version of the rule set.

Packs are found, not listed: a file in ``packs`` that defines ``REGIMES``, ``TESTS``, ``LIMITS`` or ``CATEGORIES`` is
part of the rule set.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any, TypeVar

from service.rules import packs
from service.rules.categories import CategoryFacts
from service.rules.law import CURRENT_LAW, Law, Schedule
from service.rules.packs import (
    actions_corporate,
    actions_lots,
    actions_on_document,
    actions_pledge,
    always_credentials,
    always_identity,
    mechanics,
    register_limits,
    us_holder_caps,
)
from service.rules.rule import Regime, Rule
from service.rules.worksheet import InvestorLimit, InvestorTest

ALWAYS_RULES: tuple[Rule, ...] = (
    *always_identity.RULES,
    *always_credentials.RULES,
    *mechanics.RULES,
    *register_limits.RULES,
    *actions_on_document.RULES,
    *actions_pledge.RULES,
    *actions_corporate.RULES,
    *actions_lots.RULES,
    *us_holder_caps.RULES,
)
_Entry = TypeVar("_Entry", Regime, InvestorTest, InvestorLimit)
_MODULES = [import_module(f"{packs.__name__}.{found.name}") for found in iter_modules(packs.__path__)]


def _gather(attribute: str, _kind: type[_Entry]) -> Mapping[str, _Entry]:
    entries: list[_Entry] = [entry for module in _MODULES for entry in getattr(module, attribute, ())]
    return MappingProxyType({entry.id: entry for entry in sorted(entries, key=lambda entry: entry.id)})


REGIMES = _gather("REGIMES", Regime)
TESTS = _gather("TESTS", InvestorTest)
LIMITS = _gather("LIMITS", InvestorLimit)
CATEGORIES: tuple[CategoryFacts, ...] = tuple(
    entry for module in _MODULES for entry in getattr(module, "CATEGORIES", ())
)


def list_rules(law: Law = CURRENT_LAW) -> dict[str, Rule]:
    """Return every rule that a law knows by its id, in the order of evaluation."""
    rules = [*ALWAYS_RULES, *(rule for regime in REGIMES.values() for rule in regime.rules)]
    return {rule.id: rule for rule in rules if rule.is_known(law)}


def describe_rule(rule: Rule, law: Law = CURRENT_LAW) -> dict[str, Any]:
    """Return a rule's declared data as JSON values."""
    return {
        **_describe_text(rule, law),
        "basis": rule.basis,
        "effective_to": rule.effective_to.isoformat() if rule.effective_to else None,
        "actions": sorted(rule.actions),
        "inputs": list(rule.inputs),
    }


def describe_regime(regime: Regime, law: Law = CURRENT_LAW) -> dict[str, Any]:
    """Return a regime's declared data as JSON values."""
    return {
        "id": regime.id,
        "title": regime.title,
        "citation": regime.citation,
        "source": regime.source,
        "confidence": regime.confidence,
        "effective_from": regime.effective_from.isoformat() if regime.effective_from else None,
        "effective_to": regime.effective_to.isoformat() if regime.effective_to else None,
        "rules": [rule.id for rule in regime.rules if rule.is_known(law)],
    }


def describe_computation(entry: InvestorTest | InvestorLimit, law: Law = CURRENT_LAW) -> dict[str, Any]:
    """Return an investor test's or limit's declared data as JSON values."""
    described = {**_describe_text(entry, law), "title": entry.title, "currency": entry.currency}
    defaults = {name: entry.defaults[name] for name in sorted(entry.defaults)}
    return {**described, "figures": sorted(entry.figures), "defaults": defaults, "evidence": list(entry.evidence)}


def _describe_text(entry: Rule | InvestorTest | InvestorLimit, law: Law) -> dict[str, Any]:
    return {
        "id": entry.id,
        "citation": entry.citation,
        "source": entry.source,
        "confidence": entry.confidence,
        "effective_from": entry.effective_from.isoformat() if entry.effective_from else None,
        "pending": entry.pending,
        "parameters": {
            name: value.describe(law) if isinstance(value, Schedule) else value
            for name, value in entry.parameters.items()
        },
    }


@cache
def digest_rules(law: Law) -> str:
    """Return the hex SHA-256 over everything that a law's rules declare; later versions leave it as it is."""
    known = [entry for group in (TESTS, LIMITS) for entry in group.values() if law.knows(entry.since, entry.pending)]
    declared = {
        "version": law.name,
        "rules": [describe_rule(rule, law) for rule in list_rules(law).values()],
        "regimes": [describe_regime(each, law) for each in REGIMES.values() if law.knows(each.since, each.pending)],
        "computations": [describe_computation(entry, law) for entry in known],
    }
    return hashlib.sha256(json.dumps(declared, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


RULES_SHA256 = digest_rules(CURRENT_LAW)
