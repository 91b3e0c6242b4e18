"""Japan: private placement of tokenised securities, to institutions that qualify or to fewer than fifty persons.

Offerees count for three months since 2022; older sources say six.

Source: Financial Instruments and Exchange Act (FIEA), article 2(3); secondary sources only.
"""

from datetime import date

from service.rules.packs.open_ways import build_regime, is_institutional, offered_to_fewer_than
from service.rules.rule import Counting

PERSONS_BELOW = 50
LOOK_BACK_MONTHS = 3

REGIMES = (
    build_regime(
        "jp.private",
        "Japanese private placement",
        "FIEA art 2(3)",
        is_institutional(),
        offered_to_fewer_than(PERSONS_BELOW),
        code="JURISDICTION_BLOCKED",
        source="secondary",
        confidence="L",
        effective_from=date(2020, 5, 1),
        counting=Counting(offeree_months=LOOK_BACK_MONTHS),
    ),
)
