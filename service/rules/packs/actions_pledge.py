"""Pledges and their release. The record owner stays, so neither is a sale and the pledgee need not be eligible.

A liquidation is a resale by the pledgee; what is its own is in ``us_rule144``: a pledge with recourse tacks.

Source: rules.yaml, actions.pledge, release, liquidation.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts, all_hold, any_holds
from service.rules.packs.actions_on_document import has_document
from service.rules.rule import Deny, Finding, Require, Rule

CONSENTS = 1


def _check_terms(facts: Facts) -> Iterator[Finding]:
    if not facts.part("offering").flag("lien_allowed"):
        yield Deny("PLEDGE_NO_LIQUIDATION_ROUTE", Remedy("none"), {"lien_allowed": False})


def _check_liquidation(facts: Facts) -> Iterator[Finding]:
    trade = facts.part("trade")
    if all_hold(lambda: _has_liquidation_route(trade), lambda: trade.flag("control_agreement")):
        yield Require("OBL_LIEN_RECORDED")
    else:
        yield Deny("PLEDGE_NO_LIQUIDATION_ROUTE", Remedy("none"))


def _has_liquidation_route(trade: Facts) -> bool:
    return not trade.is_null("liquidation_route") and bool(trade.text("liquidation_route"))


def _check_consent(facts: Facts) -> Iterator[Finding]:
    if not any_holds(lambda: has_document(facts), lambda: facts.number("approvals") >= CONSENTS):
        yield Deny(
            "FORCED_DOC_MISSING", Remedy("none"), {"approvals": facts.number("approvals"), "threshold": CONSENTS}
        )


RULES = (
    Rule(
        id="pledge.terms",
        citation="terms of the offering: liens",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("offering.lien_allowed",),
        actions=frozenset({"pledge"}),
        check=_check_terms,
    ),
    Rule(
        id="pledge.liquidation",
        citation="policy: control agreement and a lawful liquidation route, shown before the pledge",
        source="policy",
        confidence="M",
        basis="firm_policy",
        inputs=("trade.liquidation_route", "trade.control_agreement"),
        actions=frozenset({"pledge"}),
        check=_check_liquidation,
    ),
    Rule(
        id="release.consent",
        citation="policy: the lienholder's approval or a court's document",
        source="policy",
        confidence="H",
        basis="firm_policy",
        inputs=("doc.type", "doc.sha256", "approvals"),
        actions=frozenset({"release"}),
        parameters={"approvals": str(CONSENTS)},
        check=_check_consent,
    ),
)
