"""Hong Kong: the small offers of Cap. 32 Sch 17 paras 2 to 4, which are open to everybody.

An offer to a professional investor stands on para 1 and uses none of them up.

Source: Cap. 32 Sch 17 (text of 2004; amounts of Parts 2 and 3 from recall).
"""

from collections.abc import Iterator
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts, Number, any_holds, is_known
from service.rules.needs import AML, KYC, QUALIFIED, ask_if_held
from service.rules.packs.consideration import count_units_reaching, count_units_within, read_consideration
from service.rules.packs.hk_professional import SUITABILITY, is_professional
from service.rules.rule import AtLeast, AtMost, Counting, Deny, Finding, Note, Regime, Rule, Source, TransferCheck

PERSONS = 50
TOTAL = 5_000_000
MINIMUM = 500_000
"""HK$; Parts 2 and 3 of the schedule."""
_PRESENT = Remedy("present", purpose="hk.pi_only")
_PERSONS_REACHED = "The offer was made to 50 persons, and the buyer is not a professional investor."
_TOTAL_REACHED = "The small offer's total would be exceeded, and the buyer is not a professional investor."
_BELOW_MINIMUM = "The payment is below the minimum, and the buyer is not a professional investor."


def _check_persons(facts: Facts) -> Iterator[Finding]:
    if facts.has("state") and facts.part("state").has("offerees_12m"):
        yield Note("after", _count_after(facts))
    if not any_holds(lambda: _count_after(facts) <= PERSONS, lambda: is_professional(facts)):
        yield Deny("HK_NOT_PI", _PRESENT, {"limit": PERSONS}, message=_PERSONS_REACHED)


def _count_after(facts: Facts) -> Number:
    return facts.part("state").number("offerees_12m") + 1


def _check_total(facts: Facts) -> Iterator[Finding]:
    if facts.has("state") and facts.part("state").has("consideration_12m"):
        yield Note("remaining", _find_remaining(facts))
    if not any_holds(lambda: read_consideration(facts) <= _find_remaining(facts), lambda: is_professional(facts)):
        at_most = count_units_within(_find_remaining(facts), facts.number("price"))
        evidence = {"limit": TOTAL, "requested": read_consideration(facts)}
        yield Deny("HK_NOT_PI", _PRESENT, evidence, smaller_may_pass=bool(at_most), message=_TOTAL_REACHED)
    if not is_known(lambda: is_professional(facts)):
        at_most = count_units_within(_find_remaining(facts), facts.number("price"))
        if at_most is not None:
            yield AtMost(at_most)


def _find_remaining(facts: Facts) -> Number:
    return max(0, TOTAL - facts.part("state").number("consideration_12m"))


def _check_minimum(facts: Facts) -> Iterator[Finding]:
    if not any_holds(lambda: read_consideration(facts) >= MINIMUM, lambda: is_professional(facts)):
        evidence = {"threshold": MINIMUM, "requested": read_consideration(facts)}
        yield Deny("HK_NOT_PI", _PRESENT, evidence, message=_BELOW_MINIMUM)
    elif not is_known(lambda: is_professional(facts)):
        yield AtLeast(count_units_reaching(MINIMUM, facts.number("price")))


def _regime(name: str, title: str, paragraph: int, source: Source, rule: Rule) -> Regime:
    return Regime(
        id=f"hk.{name}",
        title=f"Hong Kong, {title}",
        citation=f"Cap. 32 Sch 17 para {paragraph}",
        source=source,
        confidence="H",
        needs=(KYC, AML, ask_if_held(QUALIFIED)),
        counting=Counting(leaves_out="hk_pi", leaves_out_amounts=True),  # para 1: such an offer is none of these
        effective_from=_IN_FORCE,
        rules=(rule, SUITABILITY),
        may_acquire=lambda _facts: True,  # nothing in paras 2 to 4 follows the securities into other hands
    )


def _rule(name: str, paragraph: int, source: Source, inputs: str, parameter: int, check: TransferCheck) -> Rule:
    return Rule(
        id=f"hk.{name}.limit",
        citation=f"Cap. 32 Sch 17 para {paragraph}",
        source=source,
        confidence="H",
        basis="law",
        inputs=("date", "buyer.hk_pi", "buyer.hk_pi_evidence_on", *inputs.split()),
        actions=frozenset({"primary"}),
        effective_from=_IN_FORCE,
        parameters={"limit": str(parameter)},
        check=check,
    )


_IN_FORCE = date(2004, 12, 3)
_PERSONS = _rule("50_persons", 2, "primary", "state.offerees_12m", PERSONS, _check_persons)
_TOTAL = _rule("small_offer", 3, "recall", "qty price state.consideration_12m", TOTAL, _check_total)
_MINIMUM = _rule("min_500k", 4, "recall", "qty price", MINIMUM, _check_minimum)
REGIMES = (
    _regime("50_persons", "offer to at most 50 persons", 2, "primary", _PERSONS),
    _regime("small_offer", "offer of at most HK$5 million", 3, "recall", _TOTAL),
    _regime("min_500k", "at least HK$500,000 each", 4, "recall", _MINIMUM),
)
