"""No sale under an exemption while a disqualifying event bars the offering: 506(d), and its likes elsewhere."""

from collections.abc import Iterator
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.rule import Deny, Finding, Rule


def _check_bad_actor(facts: Facts) -> Iterator[Finding]:
    if facts.part("offering").flag("bad_actor"):
        yield Deny("US_506D_BAD_ACTOR", Remedy("none"))


def build_bad_actor_rule(rule_id: str, citation: str, effective_from: date) -> Rule:
    """Return the rule that a disqualifying event under ``citation`` bars primary sales."""
    return Rule(
        id=rule_id,
        citation=citation,
        source="secondary",
        confidence="H",
        basis="law",
        inputs=("offering.bad_actor",),
        actions=frozenset({"primary"}),
        effective_from=effective_from,
        idle_if=("offering.bad_actor", False),
        check=_check_bad_actor,
    )


BAD_ACTOR = build_bad_actor_rule("us.506d.bad_actor", "17 CFR 230.506(d)", date(2013, 9, 23))
