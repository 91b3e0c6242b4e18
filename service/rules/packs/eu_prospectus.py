"""Prospectus Regulation: four ways to offer securities to the public without a prospectus.

They bind the offer. A resale is a separate offer with exemptions of its own (article 5), whose makers count their own
offerees; nothing in the Regulation closes one trade to one buyer, so resales have no rule here.

Source: Regulation (EU) 2017/1129, articles 1(4)(a)-(d), 1(6), 3(2), 5(1), as amended by Regulation (EU) 2024/2809.
"""

from collections.abc import Callable, Iterator
from datetime import date

from service.rules.decision import Remedy, Value
from service.rules.facts import Facts, MissingFactError, Number, any_holds
from service.rules.law import Row, Schedule
from service.rules.needs import AML, KYC, QUALIFIED, CredentialNeed, ask_if_held
from service.rules.packs.offer_limits import yield_cap, yield_minimum
from service.rules.rule import Counting, Deny, Finding, Note, Regime, Rule, TransferCheck

APPLIES_FROM = date(2019, 7, 21)
SMALL_OFFERS_FROM = date(2018, 7, 21)
PERSONS_BELOW = 150
MINIMUM_PER_INVESTOR = 100_000
SMALL_OFFER = Schedule(
    Row(8_000_000, SMALL_OFFERS_FROM, date(2026, 6, 4), "Reg (EU) 2017/1129 art 3(2)(b)"),
    Row(12_000_000, date(2026, 6, 5), None, "Reg (EU) 2024/2809 art 1(3)"),
)
"""No Member State's threshold may be higher."""
EEA = frozenset(
    {
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI"),
        *("LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
    }
)
"""Member States of the European Economic Area, for which the Regulation is relevant."""
_NOT_QUALIFIED = "The buyer is not a qualified investor; this offer is open to no others."


def _check_qualified(facts: Facts) -> Iterator[Finding]:
    if not facts.part("buyer").flag("eu_qi"):
        yield Deny("EU_150_PERSONS", Remedy("present", purpose="eu.pr_qi"), {"limit": 0}, message=_NOT_QUALIFIED)


def _check_persons(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if buyer.has("eu_qi") and buyer.flag("eu_qi"):
        return  # not counted
    yield from _note_after(facts)
    if not any_holds(lambda: buyer.flag("eu_qi"), lambda: _has_room(facts)):
        evidence: dict[str, Value] = {"limit": PERSONS_BELOW - 1, "country": buyer.text("country")}
        yield Deny("EU_150_PERSONS", Remedy("present", purpose="eu.pr_150"), evidence)


def _note_after(facts: Facts) -> Iterator[Finding]:
    try:
        after = _count_after(facts)
    except MissingFactError:
        return  # reported where the verdict turns on it
    if after is not None:
        yield Note("after", after)


def _count_after(facts: Facts) -> Number | None:
    """Return how many persons of the buyer's Member State are addressed; None if the offer is made in none."""
    country = facts.part("buyer").text("country")
    return facts.part("state").part("offerees_by_ms").number(country) + 1 if country in EEA else None


def _has_room(facts: Facts) -> bool:
    after = _count_after(facts)
    return after is None or after < PERSONS_BELOW


def _check_small_offer(facts: Facts) -> Iterator[Finding]:
    limit = min(facts.part("offering").number("ms_threshold"), facts.in_force(SMALL_OFFER))
    used = facts.part("state").number("consideration_12m")
    yield from yield_cap(facts, "EU_SMALL_OFFER_CAP", used=used, limit=limit, inclusive=False)


def _check_minimum(facts: Facts) -> Iterator[Finding]:
    yield from yield_minimum(facts, MINIMUM_PER_INVESTOR)


def _regime(name: str, title: str, rule: Rule, may_acquire: Callable[[Facts], bool], *needs: CredentialNeed) -> Regime:
    return Regime(
        id=f"eu.{name}",
        title=title,
        citation=rule.citation,
        source="secondary",
        confidence="M",
        rules=(rule,),
        may_acquire=may_acquire,
        needs=(KYC, AML, *needs),
        counting=Counting(leaves_out="eu_qi"),
        asks_category="eu.qi" if QUALIFIED in needs else None,
        effective_from=rule.effective_from,
    )


def _rule(regime: str, article: str, check: TransferCheck, inputs: str, **parameters: str | Schedule[int]) -> Rule:
    return Rule(
        id=f"eu.{regime}.offer",
        citation=f"Reg (EU) 2017/1129 art {article}",
        source="secondary",
        confidence="M",
        basis="law",
        inputs=tuple(inputs.split()),
        actions=frozenset({"primary"}),
        effective_from=SMALL_OFFERS_FROM if article == "3(2)" else APPLIES_FROM,
        parameters=parameters,
        check=check,
    )


_QUALIFIED = _rule("pr_qi", "1(4)(a)", _check_qualified, "buyer.eu_qi")
_PERSONS = _rule(
    "pr_150",
    "1(4)(b)",
    _check_persons,
    "buyer.eu_qi buyer.country state.offerees_by_ms",
    persons_below=str(PERSONS_BELOW),
    countries=" ".join(sorted(EEA)),
)
_SMALL_OFFER = _rule(
    "pr_small",
    "3(2)",
    _check_small_offer,
    "date qty price offering.ms_threshold state.consideration_12m",
    threshold_at_most=SMALL_OFFER,
)
_MINIMUM = _rule("pr_100k", "1(4)(c), (d)", _check_minimum, "qty price", minimum=str(MINIMUM_PER_INVESTOR))


def _is_qualified(facts: Facts) -> bool:
    return facts.part("buyer").flag("eu_qi")


def _is_open_to_all(_facts: Facts) -> bool:
    return True


_IF_HELD = ask_if_held(QUALIFIED)
REGIMES = (
    _regime("pr_qi", "Offer to qualified investors", _QUALIFIED, _is_qualified, QUALIFIED),
    _regime(
        "pr_150", "Offer to fewer than 150 persons per Member State", _PERSONS, _is_open_to_all, ask_if_held(QUALIFIED)
    ),
    _regime("pr_small", "Small offer", _SMALL_OFFER, _is_open_to_all),
    _regime("pr_100k", "Offer at EUR 100,000 per investor", _MINIMUM, _is_open_to_all),
)
