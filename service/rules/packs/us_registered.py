"""Registered securities: free to trade, except in the hands of the issuer's affiliates."""

from service.rules.needs import AML, KYC
from service.rules.packs.us_control import CONTROL_RESALE
from service.rules.rule import Regime

REGIMES = (
    Regime(
        id="us.registered",
        title="Registered offering",
        citation="15 U.S.C. 77e; 17 CFR 230.144(a)(1), (b)(2)",
        source="recall",
        confidence="H",
        needs=(KYC, AML),
        rules=(CONTROL_RESALE,),
        may_acquire=lambda _facts: True,
    ),
)
