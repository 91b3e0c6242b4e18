"""Whether the lots' dates move with them: Rule 144's tacking, as evidence of the decision.

Source: 17 CFR 230.144(d)(3); rules.yaml, actions.
"""

from collections.abc import Iterator

from service.rules.facts import Facts
from service.rules.rule import UNWILLED, Finding, Note, Rule, TransferCheck


def _keep(_facts: Facts) -> Iterator[Finding]:
    yield Note("lots_preserved", True)


def _keep_unless_paid(facts: Facts) -> Iterator[Finding]:
    yield Note("lots_preserved", facts.number("price") == 0)


def _rule(name: str, cite: str, actions: frozenset[str], check: TransferCheck, *inputs: str) -> Rule:
    return Rule(
        id=f"{name}.lots",
        citation=f"17 CFR 230.144(d)(3){cite}",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=inputs,
        actions=actions,
        check=check,
    )


RULES = (
    _rule("forced", "", UNWILLED, _keep),
    _rule("gift", "(v)", frozenset({"gift"}), _keep_unless_paid, "price"),
    _rule("distribution", "(i)", frozenset({"distribution"}), _keep),
    _rule("conversion", "(ii)", frozenset({"conversion"}), _keep_unless_paid, "price"),
)
