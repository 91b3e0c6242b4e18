"""Every rule in force, the regimes by id, and the identity of this rule set.

A new regime is one file in ``packs`` and one name in ``REGIMES``.
"""

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from service.rules.packs import (
    always_credentials,
    always_identity,
    forced,
    mechanics,
    register_limits,
    us_506c,
    us_holder_caps,
    us_reg_s,
)
from service.rules.rule import Regime, Rule

RULES_VERSION = "2026.11.0"
"""Year, month and serial of the rule set; changes with every change of a verdict."""

ALWAYS_RULES: tuple[Rule, ...] = (
    *always_identity.RULES,
    *always_credentials.RULES,
    *mechanics.RULES,
    *register_limits.RULES,
    *forced.RULES,
    *us_holder_caps.RULES,
)
REGIMES: Mapping[str, Regime] = MappingProxyType({pack.REGIME.id: pack.REGIME for pack in (us_506c, us_reg_s)})


def list_rules() -> dict[str, Rule]:
    """Return every rule by its id, in the order of evaluation."""
    rules = [*ALWAYS_RULES, *(rule for regime in REGIMES.values() for rule in regime.rules)]
    return {rule.id: rule for rule in rules}


def describe_rule(rule: Rule) -> dict[str, Any]:
    """Return a rule's declared data as JSON values."""
    return {
        "id": rule.id,
        "citation": rule.citation,
        "source": rule.source,
        "confidence": rule.confidence,
        "basis": rule.basis,
        "effective_from": rule.effective_from.isoformat() if rule.effective_from else None,
        "effective_to": rule.effective_to.isoformat() if rule.effective_to else None,
        "actions": sorted(rule.actions),
        "inputs": list(rule.inputs),
        "parameters": dict(rule.parameters),
    }


def describe_regime(regime: Regime) -> dict[str, Any]:
    """Return a regime's declared data as JSON values."""
    return {
        "id": regime.id,
        "title": regime.title,
        "citation": regime.citation,
        "rules": [rule.id for rule in regime.rules],
    }


def _digest() -> str:
    declared = {
        "version": RULES_VERSION,
        "rules": [describe_rule(rule) for rule in list_rules().values()],
        "regimes": [describe_regime(regime) for regime in REGIMES.values()],
    }
    return hashlib.sha256(json.dumps(declared, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


RULES_SHA256 = _digest()
