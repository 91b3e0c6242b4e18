"""What each regime reads, drawn close around its thresholds and the ends of its periods."""

from collections.abc import Callable
from datetime import date
from typing import Any

from tests.reference.draws import Choose, Given, ago, around, flip, listed, mostly, pick

Draws = Callable[[Choose, date, Given], None]
ORIGINS = ["issuer", "affiliate", "nonaffiliate", "gift", "estate", "pledge_recourse", "pledge_nonrecourse"]
TACKING = {"nonaffiliate", "gift", "estate", "pledge_recourse"}


def draw_verification(choose: Choose, today: date, issuer: str) -> dict[str, Any]:
    method = pick(choose, "third_party", "prior_verified", "net_worth_review", "income_review", "min_investment")
    block = {"method": method} | VERIFICATIONS[method](choose, today, issuer)
    if method in {"prior_verified", "min_investment"} or flip(choose):
        block["contrary_knowledge"] = mostly(choose, False, True, weight=8)
    return block


def _third_party(choose: Choose, today: date, _: str) -> dict[str, Any]:
    attester = mostly(
        choose, "cpa", "broker_dealer", "ria_sec", "attorney", "ria_state", "kyc_provider", "exchange", weight=1
    )
    return {"attester": attester, "steps_completed_on": ago(choose, today, months=(3, 1), days=(90, 30))}


def _prior_verified(choose: Choose, today: date, issuer: str) -> dict[str, Any]:
    return {
        "verified_on": ago(choose, today, months=(60, 12)),
        "verified_by_issuer": mostly(choose, issuer, "ISS-2", weight=6),
        "representation_on": mostly(choose, today.isoformat(), ago(choose, today, days=(1, 30)), weight=6),
    }


def _net_worth_review(choose: Choose, today: date, _: str) -> dict[str, Any]:
    return {
        "reviewed_by": "issuer",
        "oldest_document_on": ago(choose, today, months=(3, 1), days=(90, 30)),
        "consumer_report": mostly(choose, True, False),
        "liabilities_representation": mostly(choose, True, False),
    }


def _income_review(choose: Choose, today: date, _: str) -> dict[str, Any]:
    year = today.year
    return {
        "reviewed_by": "issuer",
        "tax_years": mostly(choose, [year - 2, year - 1], [year - 1], [year - 3, year - 2], [year - 1, year]),
        "current_year_representation": mostly(choose, True, False),
    }


def _min_investment(choose: Choose, today: date, _: str) -> dict[str, Any]:
    return {
        "person": pick(choose, "natural", "entity", "entity_owner_based"),
        "represented_accredited": mostly(choose, True, False, weight=6),
        "third_party_financed": mostly(choose, False, True, weight=6),
        "natural_equity_owners": pick(choose, 1, 2, 3, 4, 5, 6),
    }


VERIFICATIONS = {
    "third_party": _third_party,
    "prior_verified": _prior_verified,
    "net_worth_review": _net_worth_review,
    "income_review": _income_review,
    "min_investment": _min_investment,
}


def draw_rule_144(choose: Choose, today: date, given: Given) -> None:
    """Add what resale of restricted and control securities reads."""
    given["offering"] |= {
        "reporting": flip(choose),
        "current_public_info": flip(choose),
        "class_outstanding_since": ago(choose, today, days=(90, 400)),
        "fungible_with_listed": mostly(choose, False, True),
        "outstanding": pick(choose, 10_000, 1_000_000),
        "awtv": pick(choose, None, 99, 100, 101, 5_000),
    }
    given["seller"] |= {"affiliate": mostly(choose, False, True, weight=2), "accredited": True}
    given["seller"]["affiliate_sales"] = listed(
        choose, lambda: {"date": ago(choose, today, months=(3, 1)), "qty": around(choose, 10, 100, least=1)}, 2
    )
    given["trade"] |= {
        "general_solicitation": mostly(choose, False, True),
        "info_package": flip(choose),
        "info_rights_144a": flip(choose),
    }
    given["buyer"]["qib"] = mostly(choose, False, True)


def draw_lots(choose: Choose, today: date) -> list[dict[str, Any]]:
    return [_draw_lot(choose, today) for _ in range(pick(choose, 1, 2, 3))]


def _draw_lot(choose: Choose, today: date) -> dict[str, Any]:
    origin = mostly(choose, "issuer", *ORIGINS, weight=1)
    start = ago(choose, today, months=(12, 6, 3, 24))
    lot = {"qty": pick(choose, 100, 10, 600), "from_": origin, "acquired_on": start}
    if origin in TACKING:
        lot |= {"acquired_on": ago(choose, today, days=(30, 5)), "tack_from": start}
    return lot


def draw_506b(choose: Choose, today: date, given: Given) -> None:
    given["offering"]["general_solicitation"] = mostly(choose, False, True, weight=6)
    given["buyer"] |= {"sophisticated": mostly(choose, True, False), "excluded_501e": mostly(choose, False, True)}
    given["state"]["nonaccredited_sales"] = listed(
        choose, lambda: {"date": ago(choose, today, days=(89, 10)), "count": pick(choose, 34, 35, 17, 18, 1)}, 2
    )
    draw_rule_144(choose, today, given)


def draw_506c(choose: Choose, today: date, given: Given) -> None:
    given["buyer"]["verification"] = draw_verification(choose, today, given["offering"]["issuer"])
    if given["buyer"]["verification"]["method"] == "min_investment":
        given |= {"qty": around(choose, 200, 400, 600, 800, 1000), "price": 1000}
    draw_rule_144(choose, today, given)


def draw_reg_cf(choose: Choose, today: date, given: Given) -> None:
    given["state"]["issuer_cf_sold_12m"] = pick(choose, 100_000, 5_000_000 - given["qty"], 5_000_001 - given["qty"])
    given["buyer"] |= _draw_means(choose, 124_000, 107_000, 50_000, 20_000)
    given["buyer"]["family_relation"] = mostly(choose, "cousin", "sibling")
    given["buyer"]["cf_purchases"] = listed(
        choose, lambda: {"date": ago(choose, today, months=(12, 3)), "amount": around(choose, 1_500, 2_400, 6_000)}, 2
    )
    given["qty"] = around(choose, 100, 1_000, 2_500, 6_200, 12_400, least=1)
    for lot in given["seller"]["lots"]:
        lot |= {"issued_on": lot.pop("acquired_on"), "qty": lot["qty"] * 20}
        del lot["from_"]
        lot.pop("tack_from", None)


def _draw_means(choose: Choose, *lines: int) -> dict[str, Any]:
    line = pick(choose, *lines)
    others = lines if flip(choose) else (line,)  # where both lie on one line, a single unit decides
    means: dict[str, Any] = {"annual_income": around(choose, line), "net_worth": around(choose, *others)}
    if pick(choose, *range(6)) == 5:
        means["limit_at_least"] = around(choose, 2_500, 6_200, 12_400)
    return means


def draw_reg_a(choose: Choose, today: date, given: Given) -> None:
    cap = 20_000_000 if given["offering"]["regime"] == "us.reg_a_t1" else 75_000_000
    given["state"]["issuer_rega_sold_12m"] = cap - pick(
        choose, 50_000, given["qty"], given["qty"] - 1, given["qty"] + 1
    )
    given["buyer"] |= _draw_means(choose, 100_000, 60_000, 1_000) | {"state": mostly(choose, "NY", "TX")}
    given["offering"]["blue_sky_ok_states"] = ["CA", "NY"]


def draw_registered(choose: Choose, today: date, given: Given) -> None:
    draw_rule_144(choose, today, given)


def draw_reg_s(choose: Choose, today: date, given: Given) -> None:
    draw_rule_144(choose, today, given)
    given["offering"] |= {
        "category": pick(choose, 3, 2, 1),
        "security": pick(choose, "equity", "debt"),
        "issuer_domestic": flip(choose),
        "dcp_start": ago(choose, today, months=(12, 6), days=(40, 10)),
    }
    for party in ("buyer", "seller"):
        given[party] |= {
            "us_person": flip(choose) if party == "buyer" else False,
            "offshore": mostly(choose, True, False, weight=2),
            "regs_certified": mostly(choose, True, False),
        }
    given["seller"]["offshore"] = True


def draw_hk(choose: Choose, today: date, given: Given) -> None:
    given["buyer"] |= {
        "hk_pi": mostly(choose, True, False),
        "hk_pi_class": mostly(choose, "individual", "institutional", "corporate", weight=2),
        "hk_pi_evidence_on": ago(choose, today, months=(12, 3)),
        "suitability_done": mostly(choose, True, False),
        "country": "HK",
    }


def draw_hk_offer(choose: Choose, today: date, given: Given) -> None:
    draw_hk(choose, today, given)
    given["buyer"]["hk_pi"] = mostly(choose, False, True)
    given |= {"qty": pick(choose, 500, 499, 501, 10), "price": 1000}
    offerees = around(choose, 49, 10)
    given["state"] |= {
        "offerees": offerees,
        "offerees_12m": offerees,
        "consideration_12m": 5_000_000 - given["qty"] * 1000 + pick(choose, 0, 1, -1, -100_000),
    }


def draw_sg(choose: Choose, today: date, given: Given) -> None:
    kind = pick(choose, "retail", "accredited", "institutional")
    given["buyer"] |= {
        "sg_class": kind,
        "institutional": kind == "institutional",
        "sg_opt_in": flip(choose),
        "principal": mostly(choose, True, False),
        "country": "SG",
    }
    given |= {"qty": pick(choose, 200, 199, 201, 10), "price": pick(choose, 1000, 10)}
    amount = given["qty"] * given["price"]
    given["state"] |= {
        "offerees_12m": around(choose, 49, 10),
        "consideration_12m": 5_000_000 - amount + pick(choose, 0, 1, -1, -100_000),
    }
    for lot in given["seller"]["lots"]:
        lot |= {"from_": "issuer", "qty": 300, "acquired_on": ago(choose, today, months=(6, 2, 12))}
        lot.pop("tack_from", None)


def draw_eu(choose: Choose, today: date, given: Given) -> None:
    given |= {"qty": pick(choose, 99_999, 100_000, 100_001, 1_000, 1_001), "price": 1}
    threshold = pick(choose, 12_000_000, 5_000_000)
    given["offering"]["ms_threshold"] = threshold
    given["buyer"] |= {"eu_qi": mostly(choose, False, True, weight=2), "country": pick(choose, "DE", "FR")}
    given["state"] |= {
        "offerees_by_ms": {"DE": around(choose, 148), "FR": around(choose, 148, 3)},
        "consideration_12m": threshold - given["qty"] + pick(choose, 0, -1, 1, -5_000),
    }


def draw_ecspr(choose: Choose, today: date, given: Given) -> None:
    given |= {"qty": pick(choose, 999, 1_000, 1_001, 2_499, 2_500, 2_501), "price": 1}
    given["state"]["consideration_12m"] = 5_000_000 - given["qty"] + mostly(choose, -100_000, 0, 1, -1)
    given["buyer"] |= {"net_worth": pick(choose, 18_000, 20_000, 50_000), "above_threshold_consent": flip(choose)}
    if flip(choose):
        given["buyer"] |= {"sophisticated": True, "sophisticated_approved_on": ago(choose, today, months=(24, 3))}
    else:
        given["buyer"] |= {"sophisticated": False, "knowledge_test_on": ago(choose, today, months=(24, 3))}


def draw_uk(choose: Choose, today: date, given: Given) -> None:
    if given["offering"]["regime"] == "uk.poatr_50k":
        given |= {"qty": pick(choose, 50_000, 49_999, 50_001), "price": 1}
    fpo50a = given["offering"]["regime"] == "uk.fpo50a"
    given["buyer"] |= {
        "uk_qi": mostly(choose, False, True, weight=2),
        "uk_statement": "sophisticated" if fpo50a else "hnw",
        "uk_statement_signed_on": ago(choose, today, months=(12, 3)),
        "country": "GB",
    }
    given["state"] |= {
        "offerees_uk": around(choose, 148, 3),
        "consideration_12m": 5_000_000 - given["qty"] * given["price"] + pick(choose, 0, 1, -1, -5_000),
    }


def draw_malaysia(choose: Choose, today: date, given: Given) -> None:
    given["buyer"] |= {"my_class": pick(choose, "retail", "sophisticated"), "first_time": mostly(choose, True, False)}
    given |= {"qty": pick(choose, 250, 249, 251, 10), "price": 1000}
    given["state"]["offerees"] = around(choose, 49, 10)
    for lot in given["seller"]["lots"]:
        lot["qty"] = 300


DRAWS: dict[str, Draws] = {
    "us.registered": draw_registered,
    "us.506b": draw_506b,
    "us.506c": draw_506c,
    "us.reg_cf": draw_reg_cf,
    "us.reg_a_t1": draw_reg_a,
    "us.reg_a_t2": draw_reg_a,
    "us.reg_s": draw_reg_s,
    "hk.pi_only": draw_hk,
    "eu.ecspr": draw_ecspr,
}
BY_JURISDICTION: dict[str, Draws] = {
    "hk": draw_hk_offer,
    "sg": draw_sg,
    "eu": draw_eu,
    "uk": draw_uk,
    "my": draw_malaysia,
    "lbn": draw_malaysia,
}


def draw_regime(choose: Choose, today: date, given: Given) -> None:
    """Add what the regime of the offering reads."""
    regime = given["offering"]["regime"]
    (DRAWS.get(regime) or BY_JURISDICTION[regime.split(".")[0]])(choose, today, given)
