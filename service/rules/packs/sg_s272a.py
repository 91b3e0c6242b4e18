"""Singapore: small personal offers of at most S$5 million in 12 months (SFA s272A).

What is sold to those whom ss274 and 275 cover is raised under those sections and doesn't count. That an offer was
personal and carried the prescribed statements is the offeror's to keep; the gate isn't told.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts, Number, any_holds, is_known
from service.rules.needs import AML, KYC, QUALIFIED, ask_if_held
from service.rules.packs.consideration import count_units_within, read_consideration
from service.rules.packs.sg_eligible import IN_FORCE_FROM, INPUTS, OPT_IN_NEEDED, is_eligible
from service.rules.packs.sg_resale import build_resale_rule, may_acquire
from service.rules.rule import AtMost, Deny, Finding, Note, Regime, Rule

LIMIT = 5_000_000
_TOTAL_REACHED = "The small offer's total would be exceeded; beyond it only eligible classes may buy."


def _find_remaining(facts: Facts) -> Number:
    return max(0, LIMIT - facts.part("state").number("consideration_12m"))


def _check_total(facts: Facts) -> Iterator[Finding]:
    if facts.has("state") and facts.part("state").has("consideration_12m"):
        yield Note("remaining", _find_remaining(facts))
    if not any_holds(lambda: read_consideration(facts) <= _find_remaining(facts), lambda: is_eligible(facts)):
        at_most = count_units_within(_find_remaining(facts), facts.number("price"))
        evidence = {"limit": LIMIT, "requested": read_consideration(facts)}
        remedy = Remedy("represent", purpose="sg.s275")
        yield Deny("SG_AI_NOT_OPTED_IN", remedy, evidence, smaller_may_pass=bool(at_most), message=_TOTAL_REACHED)
    yield from _bound(facts)


def _bound(facts: Facts) -> Iterator[Finding]:
    if not is_known(lambda: is_eligible(facts)):
        at_most = count_units_within(_find_remaining(facts), facts.number("price"))
        if at_most is not None:
            yield AtMost(at_most)


REGIMES = (
    Regime(
        id="sg.s272a",
        title="Singapore, small offers",
        citation="SFA s272A",
        source="primary",
        confidence="H",
        needs=(KYC, AML, ask_if_held(QUALIFIED)),
        effective_from=IN_FORCE_FROM,
        rules=(
            Rule(
                id="sg.s272a.total",
                citation="SFA s272A(1)(a)",
                source="primary",
                confidence="H",
                basis="law",
                inputs=("state.consideration_12m", *INPUTS.split()),
                actions=frozenset({"primary"}),
                effective_from=IN_FORCE_FROM,
                parameters={"limit": str(LIMIT), "opt_in_needed": OPT_IN_NEEDED},
                check=_check_total,
            ),
            build_resale_rule("sg.s272a", "SFA s272A(1)(b)(ii), (8)"),
        ),
        may_acquire=may_acquire,
    ),
)
