"""Japan: private placement of tokenised securities, to institutions that qualify or to fewer than fifty persons.

``state.offerees`` counts what the look-back of the text covers: three months since 2022, six in older sources.

Source: Financial Instruments and Exchange Act (FIEA), article 2(3); secondary sources only.
"""

from datetime import date

from service.rules.packs.open_ways import build_regime, is_institutional, offered_to_fewer_than

PERSONS_BELOW = 50

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
    ),
)
