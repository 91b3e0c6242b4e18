"""Germany: electronic securities, whose register entry stands for the certificate.

The form says nothing of the offer: one that is made to the public is made under one of the ``eu.pr`` regimes. Who may
instruct a re-registration, and under which document, is what the always-on checks of the register ask.

Source: Gesetz ueber elektronische Wertpapiere (eWpG), sections 8, 17(2), 18, 25.
"""

from collections.abc import Iterator
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.needs import AML, KYC
from service.rules.rule import SALES, Deny, Finding, Regime, Rule

_IN_FORCE_FROM = date(2021, 6, 10)


def _check_holder_identified(facts: Facts) -> Iterator[Finding]:
    """Check what a single entry needs: it names its holder, or a number that identifies them."""
    if not facts.part("buyer").flag("identified"):
        yield Deny("COUNTERPARTY_UNIDENTIFIED", Remedy("present", purpose="de.ewpg"))


REGIMES = (
    Regime(
        id="de.ewpg",
        title="German electronic securities, single entry",
        citation="eWpG ss 18, 25",
        source="recall",
        confidence="M",
        rules=(
            Rule(
                id="de.ewpg.holder",
                citation="eWpG s 17(2)",
                source="recall",
                confidence="M",
                basis="law",
                inputs=("buyer.identified",),
                actions=SALES,
                effective_from=_IN_FORCE_FROM,
                check=_check_holder_identified,
            ),
        ),
        may_acquire=lambda _facts: True,
        needs=(KYC, AML),
        effective_from=_IN_FORCE_FROM,
    ),
)
