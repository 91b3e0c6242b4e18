"""Seychelles, MERJ: a licensed exchange and depository. No statutory bar to retail buyers is known, so none is applied.

That is not the same as knowing that there is none: whatever passes the other checks goes to review. The exchange is no
designated offshore securities market of Regulation S.

Source: Securities Act 2007 (Seychelles), from recall; 17 CFR 230.902(b)(1).
"""

from service.rules.needs import AML, KYC
from service.rules.rule import Regime

REGIMES = (
    Regime(
        id="sc.merj",
        title="Seychelles, MERJ",
        citation="Securities Act 2007 (Seychelles)",
        source="recall",
        confidence="L",
        rules=(),
        may_acquire=lambda _facts: True,
        needs=(KYC, AML),
    ),
)
