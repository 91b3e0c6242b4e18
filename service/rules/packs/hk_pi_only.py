"""Hong Kong: securities offered to, and disposed of to, professional investors only."""

from datetime import date

from service.rules.needs import AML, KYC, QUALIFIED
from service.rules.packs.hk_professional import EVIDENCE, PROFESSIONAL_SUITABILITY, STATUS, is_professional
from service.rules.rule import Regime

REGIMES = (
    Regime(
        id="hk.pi_only",
        title="Hong Kong, professional investors only",
        citation="Cap. 571 s103(3)(k); Cap. 32 Sch 17 para 1",
        source="primary",
        confidence="H",
        needs=(KYC, AML, QUALIFIED),
        asks_category="hk.pi.",
        effective_from=date(2004, 12, 3),
        rules=(STATUS, EVIDENCE, PROFESSIONAL_SUITABILITY),
        may_acquire=is_professional,
    ),
)
