"""United Kingdom: exceptions from the prohibition on public offers.

They bind the offer. A resale that is itself an offer needs an exception of its own, whose counters its maker keeps;
nothing in the Regulations closes one trade to one buyer, so resales have no rule here. Before 19 January 2026 the
UK Prospectus Regulation applied instead; these regimes don't reach back.

Source: Public Offers and Admissions to Trading Regulations 2024 (SI 2024/105), regulation 12, Schedule 1.
"""

from collections.abc import Callable, Iterator
from datetime import date

from service.rules.decision import Remedy
from service.rules.facts import Facts, Number, any_holds
from service.rules.needs import AML, KYC, QUALIFIED, CredentialNeed, ask_if_held
from service.rules.packs.offer_limits import yield_cap, yield_minimum
from service.rules.rule import Counting, Deny, Finding, Note, Regime, Rule, TransferCheck

IN_FORCE_FROM = date(2026, 1, 19)
PERSONS_BELOW = 150
SMALL_OFFER = 5_000_000
MINIMUM_PER_INVESTOR = 50_000

_NOT_QUALIFIED = "The buyer is not a qualified investor; this offer is open to no others."


def _check_qualified(facts: Facts) -> Iterator[Finding]:
    if not facts.part("buyer").flag("uk_qi"):
        yield Deny("UK_150_PERSONS", Remedy("present", purpose="uk.poatr_qi"), {"limit": 0}, message=_NOT_QUALIFIED)


def _check_persons(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if buyer.has("uk_qi") and buyer.flag("uk_qi"):
        return  # not counted
    if facts.has("state") and facts.part("state").has("offerees_uk"):
        yield Note("after", _count_after(facts))
    if not any_holds(lambda: buyer.flag("uk_qi"), lambda: _count_after(facts) < PERSONS_BELOW):
        yield Deny("UK_150_PERSONS", Remedy("present", purpose="uk.poatr_150"), {"limit": PERSONS_BELOW - 1})


def _count_after(facts: Facts) -> Number:
    return facts.part("state").number("offerees_uk") + 1


def _check_small_offer(facts: Facts) -> Iterator[Finding]:
    used = facts.part("state").number("consideration_12m")
    yield from yield_cap(facts, "UK_SMALL_OFFER_CAP", used=used, limit=SMALL_OFFER, inclusive=True)


def _check_minimum(facts: Facts) -> Iterator[Finding]:
    yield from yield_minimum(facts, MINIMUM_PER_INVESTOR)


def _is_qualified(facts: Facts) -> bool:
    return facts.part("buyer").flag("uk_qi")


def _is_open_to_all(_facts: Facts) -> bool:
    return True


def _rule(regime: str, where: str, check: TransferCheck, inputs: str, **parameters: str) -> Rule:
    return Rule(
        id=f"uk.{regime}.offer",
        citation=f"SI 2024/105 {where}",
        source="secondary",
        confidence="M",
        basis="law",
        inputs=tuple(inputs.split()),
        actions=frozenset({"primary"}),
        effective_from=IN_FORCE_FROM,
        parameters=parameters,
        check=check,
    )


def _regime(name: str, title: str, rule: Rule, may_acquire: Callable[[Facts], bool], *needs: CredentialNeed) -> Regime:
    return Regime(
        id=f"uk.{name}",
        title=title,
        citation=rule.citation,
        source="secondary",
        confidence="M",
        rules=(rule,),
        may_acquire=may_acquire,
        needs=(KYC, AML, *needs),
        counting=Counting(leaves_out="uk_qi"),
        asks_category="uk.qi" if QUALIFIED in needs else None,
        effective_from=IN_FORCE_FROM,
    )


_QUALIFIED = _rule("poatr_qi", "Sch 1 para 2", _check_qualified, "buyer.uk_qi")
_PERSONS = _rule(
    "poatr_150",
    "Sch 1 para 3",
    _check_persons,
    "buyer.uk_qi state.offerees_uk",
    persons_below=str(PERSONS_BELOW),
)
_SMALL_OFFER = _rule(
    "poatr_small",
    "Sch 1 paras 1, 14",
    _check_small_offer,
    "qty price state.consideration_12m",
    cap_12m=str(SMALL_OFFER),
)
_MINIMUM = _rule("poatr_50k", "Sch 1 Pt 1", _check_minimum, "qty price", minimum=str(MINIMUM_PER_INVESTOR))

_IF_HELD = ask_if_held(QUALIFIED)
REGIMES = (
    _regime("poatr_qi", "Offer to qualified investors", _QUALIFIED, _is_qualified, QUALIFIED),
    _regime(
        "poatr_150",
        "Offer to fewer than 150 persons in the United Kingdom",
        _PERSONS,
        _is_open_to_all,
        ask_if_held(QUALIFIED),
    ),
    _regime("poatr_small", "Offer of at most GBP 5 million", _SMALL_OFFER, _is_open_to_all),
    _regime("poatr_50k", "Offer at GBP 50,000 per investor", _MINIMUM, _is_open_to_all),
)
