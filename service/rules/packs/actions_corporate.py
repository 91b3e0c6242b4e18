"""What the issuer does with lots that are already held: distributions and conversions.

Neither is a sale to somebody new, so no exemption is asked for. A redemption needs no rule of its own: identity and
sanctions of the holder, the venue's grant and free lots are what binds it, and the issuer is always a permitted taker
(17 CFR 227.501(a)(1), 230.904).

Source: rules.yaml, actions.distribution, conversion, redemption.
"""

from collections.abc import Iterator

from service.rules.decision import Remedy
from service.rules.facts import Facts
from service.rules.rule import Deny, Finding, Rule


def _check_holder(role: str, party: Facts, _facts: Facts) -> Iterator[Finding]:
    if role == "buyer" and not party.flag("existing_holder"):
        yield Deny("INSUFFICIENT_BALANCE", Remedy("none"))


def _check_terms(facts: Facts) -> Iterator[Finding]:
    if not facts.part("offering").flag("convertible"):
        yield Deny("OFFERING_CLOSED", Remedy("none"), {"convertible": False})


RULES = (
    Rule(
        id="distribution.holder",
        citation="policy: a distribution goes to holders of record",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("buyer.existing_holder",),
        actions=frozenset({"distribution"}),
        binds_unwilling=True,
        check_party=_check_holder,
    ),
    Rule(
        id="conversion.terms",
        citation="terms of the offering: conversion",
        source="policy",
        confidence="H",
        basis="issuer_policy",
        inputs=("offering.convertible",),
        actions=frozenset({"conversion"}),
        check=_check_terms,
    ),
)
