"""Which checks each regime makes of a sale by the issuer and of a resale."""

from collections.abc import Callable

from tests.reference import asia, europe, us_506, us_cf_rega, us_reg_s, us_resale
from tests.reference.facts import Facts
from tests.reference.verdict import Check, Finding, combine, leave_open

FactsCheck = Callable[[Facts], Finding]
HNW = frozenset({"hnw"})
SOPHISTICATED = frozenset({"sophisticated"})


def _free(_: Facts) -> Finding:
    return Finding("permit")


def _fpo48(facts: Facts) -> Finding:
    return europe.check_uk_statement(facts, HNW)


def _fpo50a(facts: Facts) -> Finding:
    return europe.check_uk_statement(facts, SOPHISTICATED)


PRIMARY: dict[str, list[FactsCheck]] = {
    "us.registered": [_free],
    "us.506b": [us_506.check_506b_solicitation, us_506.check_506b_sophistication, us_506.check_506b_count],
    "us.506c": [us_506.check_506c_accredited, us_506.check_506c_verification],
    "us.reg_cf": [us_cf_rega.check_cf_cap, us_cf_rega.check_cf_limit],
    "us.reg_a_t1": [us_cf_rega.check_rega_cap, us_cf_rega.check_blue_sky],
    "us.reg_a_t2": [us_cf_rega.check_rega_cap, us_cf_rega.check_rega_limit],
    "us.reg_s": [us_reg_s.check_buyer_is_no_us_person, us_reg_s.check_buyer_is_offshore, us_reg_s.check_certificate],
    "hk.pi_only": [asia.check_hk_professional, asia.check_hk_evidence, asia.check_hk_suitability],
    "hk.min_500k": [asia.check_hk_minimum],
    "hk.small_offer": [asia.check_hk_small_offer],
    "hk.50_persons": [asia.check_hk_persons],
    "sg.s272a": [asia.check_sg_personal_offer],
    "sg.s272b": [asia.check_sg_offerees],
    "sg.s274": [asia.check_sg_institutional_sale],
    "sg.s275": [asia.check_sg_relevant_sale],
    "eu.pr_qi": [europe.check_eu_qualified],
    "eu.pr_150": [europe.check_eu_150],
    "eu.pr_small": [europe.check_eu_small],
    "eu.pr_100k": [europe.check_eu_large],
    "eu.ecspr": [europe.check_ecspr_cap, europe.check_ecspr_standing, europe.check_ecspr_consent],
    "uk.fpo48": [_fpo48],
    "uk.fpo50a": [_fpo50a],
    "uk.poatr_qi": [europe.check_uk_qualified],
    "uk.poatr_150": [europe.check_uk_150],
    "uk.poatr_50k": [europe.check_uk_large],
    "uk.poatr_small": [europe.check_uk_small],
    "my.sophisticated": [asia.check_my_sophisticated],
    "lbn.debenture_250k": [asia.check_lbn_debenture],
    "lbn.private_50": [asia.check_lbn_persons],
}
RESALE: dict[str, list[FactsCheck]] = {
    "us.registered": [us_resale.check_registered_resale],
    "us.506b": [us_resale.check_restricted_resale],
    "us.506c": [us_resale.check_restricted_resale],
    "us.reg_cf": [us_cf_rega.check_cf_resale],
    "us.reg_a_t1": [us_cf_rega.check_blue_sky, us_cf_rega.check_rega_resale],
    "us.reg_a_t2": [us_cf_rega.check_blue_sky, us_cf_rega.check_rega_resale],
    "us.reg_s": [us_reg_s.check_resale],
    "hk.pi_only": PRIMARY["hk.pi_only"],
    "sg.s272a": [asia.check_sg_resale],
    "sg.s274": [asia.check_sg_resale],
    "sg.s275": [asia.check_sg_resale],
    "my.sophisticated": PRIMARY["my.sophisticated"],
}
QUALIFIED_ABROAD = {"eu": "buyer.eu_qi", "uk": "buyer.uk_qi"}


def primary_checks(facts: Facts) -> list[Check]:
    """Return the regime's own checks of a sale by the issuer."""
    checks: list[FactsCheck] = [us_506.check_bad_actor, *PRIMARY[facts.regime]]
    return [_bind(check, facts) for check in checks]


def resale_checks(facts: Facts) -> list[Check]:
    """Return the regime's own checks of a resale; a gift is judged as one, without consideration.

    Open question: resales where the book speaks of offers by the issuer only, unless the buyer is a qualified investor;
    a gift for a price; and gifts that would not pass as a sale, but for Regulation Crowdfunding, which forbids any
    transfer.
    """
    if facts.action == "gift":
        return [lambda: _judge_gift(facts)]
    return _sale_checks(facts)


def _sale_checks(facts: Facts) -> list[Check]:
    if facts.regime in RESALE:
        return [_bind(check, facts) for check in RESALE[facts.regime]]
    return [lambda: _judge_resale_of_an_exempt_offer(facts)]


def _judge_gift(facts: Facts) -> Finding:
    if facts.optional("price") != 0:
        leave_open("a gift for a price")
    verdict = combine(_sale_checks(facts))
    if verdict is None or (verdict.outcome != "permit" and facts.regime != "us.reg_cf"):
        leave_open("a gift that would not pass as a sale")
    return Finding(verdict.outcome, verdict.codes)


def _judge_resale_of_an_exempt_offer(facts: Facts) -> Finding:
    sort = QUALIFIED_ABROAD.get(facts.regime.split(".")[0])
    if sort is None or facts.optional(sort) is not True:
        leave_open("a resale where the book speaks of the issuer's offers only")
    return Finding("permit")


def _bind(check: FactsCheck, facts: Facts) -> Check:
    return lambda: check(facts)
