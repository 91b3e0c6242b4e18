"""Singapore: private placement with at most 50 offerees in 12 months (SFA s272B); offers count, not purchases."""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.needs import AML, KYC
from service.rules.packs.sg_eligible import IN_FORCE_FROM
from service.rules.rule import Deny, Finding, Note, Regime, Rule

PERSONS = 50


def _check_offerees(facts: Facts) -> Iterator[Finding]:
    after = facts.part("state").number("offerees_12m") + 1
    yield Note("after", after)
    if after > PERSONS:
        yield Deny("SG_50_OFFEREES", Remedy("none"), {"limit": PERSONS})


REGIMES = (
    Regime(
        id="sg.s272b",
        title="Singapore, private placement",
        citation="SFA s272B",
        source="primary",
        confidence="H",
        needs=(KYC, AML),
        effective_from=IN_FORCE_FROM,
        rules=(
            Rule(
                id="sg.s272b.offerees",
                citation="SFA s272B(1)(a), (3)",
                source="primary",
                confidence="H",
                basis="law",
                inputs=("state.offerees_12m",),
                actions=frozenset({"primary"}),
                effective_from=IN_FORCE_FROM,
                parameters={"persons": str(PERSONS)},
                check=_check_offerees,
            ),
        ),
        may_acquire=lambda _facts: True,  # s272B binds the offeror's offers, not those who come after
    ),
)
