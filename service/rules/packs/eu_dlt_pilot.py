"""DLT Pilot: what may be admitted to a DLT market infrastructure, and who may deal there directly.

Size counts on admission, not when the price rises later. Persons other than institutions need the operator's judgement
that they are fit and competent, and informed consent; without it a person decides.

Source: Regulation (EU) 2022/858, articles 3(1), 4(2).
"""

from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.needs import AML, KYC
from service.rules.rule import SALES, Deny, Finding, Note, Regime, Review, Rule

_APPLIES_FROM = date(2023, 3, 23)
VALUE_BELOW: Mapping[str, int] = MappingProxyType({"equity": 500_000_000, "debt": 1_000_000_000})


def _check_size(facts: Facts) -> Iterator[Finding]:
    offering = facts.part("offering")
    aggregate, limit = offering.number("outstanding") * facts.number("price"), VALUE_BELOW[offering.text("security")]
    yield Note("aggregate", aggregate)
    if aggregate >= limit:
        yield Deny("EU_SMALL_OFFER_CAP", Remedy("none"), {"limit": limit})


def _check_access(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if not buyer.flag("institutional") and not buyer.flag("suitability_done"):
        yield Review("RULE_UNCONFIRMED", Remedy("present", purpose="eu.dlt_pilot"))


REGIMES = (
    Regime(
        id="eu.dlt_pilot",
        title="DLT Pilot",
        citation="Reg (EU) 2022/858",
        source="secondary",
        confidence="M",
        rules=(
            Rule(
                id="eu.dlt_pilot.size",
                citation="Reg (EU) 2022/858 art 3(1)",
                source="secondary",
                confidence="M",
                basis="law",
                inputs=("price", "offering.outstanding", "offering.security"),
                actions=frozenset({"primary"}),
                effective_from=_APPLIES_FROM,
                parameters={name: str(value) for name, value in VALUE_BELOW.items()},
                check=_check_size,
            ),
            Rule(
                id="eu.dlt_pilot.access",
                citation="Reg (EU) 2022/858 art 4(2)",
                source="secondary",
                confidence="M",
                basis="law",
                inputs=("buyer.institutional", "buyer.suitability_done"),
                actions=SALES,
                effective_from=_APPLIES_FROM,
                check=_check_access,
            ),
        ),
        may_acquire=lambda _facts: True,
        needs=(KYC, AML),
        effective_from=_APPLIES_FROM,
    ),
)
