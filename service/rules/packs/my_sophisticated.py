"""Malaysia: offers to sophisticated investors (CMSA ss229(1)(a), 230(1)(a)), and resale among them."""

from collections.abc import Iterator
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.law import Row, Schedule
from service.rules.needs import AML, KYC, QUALIFIED
from service.rules.rule import SALES, Deny, Finding, Regime, Rule

IN_FORCE_FROM = date(2007, 9, 28)
_ALWAYS = ("sophisticated", "accredited", "hne", "hnwi")
CLASSES: Schedule[tuple[str, ...]] = Schedule(
    Row(_ALWAYS, effective_to=date(2024, 2, 4), citation="CMSA Sch 6, 7 Part I"),
    Row((*_ALWAYS, "knowledge"), effective_from=date(2024, 2, 5), citation="SC-GL/1-2024 ch.5"),
)


def _is_sophisticated(facts: Facts) -> bool:
    return facts.part("buyer").text("my_class") in facts.in_force(CLASSES)


def _check_buyer(facts: Facts) -> Iterator[Finding]:
    if not _is_sophisticated(facts):
        yield Deny("MY_NOT_SOPHISTICATED", Remedy("present", purpose="my.sophisticated"))


REGIMES = (
    Regime(
        id="my.sophisticated",
        title="Malaysia, sophisticated investors",
        citation="CMSA ss229(1)(a), 230(1)(a)",
        source="secondary",
        confidence="M",
        needs=(KYC, AML, QUALIFIED),
        asks_category="my.si.",
        effective_from=IN_FORCE_FROM,
        rules=(
            Rule(
                id="my.sophisticated.buyer",
                citation="CMSA ss229(1)(a), 230(1)(a); Sch 6, 7; SC-GL/1-2024 ch.5",
                source="secondary",
                confidence="M",
                basis="law",
                inputs=("date", "buyer.my_class"),
                actions=SALES,
                effective_from=IN_FORCE_FROM,
                parameters={"classes": CLASSES},
                check=_check_buyer,
            ),
        ),
        may_acquire=_is_sophisticated,
    ),
)
