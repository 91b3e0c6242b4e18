"""Rule 506(d): no sale under Rule 506 while a disqualifying event bars the offering."""

from collections.abc import Iterator
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.rule import Deny, Finding, Rule


def _check_bad_actor(facts: Facts) -> Iterator[Finding]:
    if facts.part("offering").flag("bad_actor"):
        yield Deny("US_506D_BAD_ACTOR", Remedy("none"))


BAD_ACTOR = Rule(
    id="us.506d.bad_actor",
    citation="17 CFR 230.506(d)",
    source="secondary",
    confidence="H",
    basis="law",
    inputs=("offering.bad_actor",),
    actions=frozenset({"primary"}),
    effective_from=date(2013, 9, 23),
    check=_check_bad_actor,
)
