"""What callers without the scope ``compliance`` may not see of an investor: anything that a screening found. Pure.

Telling a customer that a sanctions or money-laundering check stopped a trade is an offence in many places, and what a
caller sees ends up on pages for customers.

Source: api.md section 5; docs/decisions/0010-redacted-decisions.md.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from service.verifier.verification import name_of_type

COMPLIANCE = "compliance"
SCREENING = "aml-screening"


def withhold_screenings(answer: Mapping[str, Any], *, sees_all: bool) -> dict[str, Any]:
    """Leave what screenings say out of a standing or an investor.

    That a screening was shown, and whether its credential holds, stays: only ``claims`` of such credentials, facts
    from them, and the platform's own screening go.
    """
    shown = dict(answer)
    if sees_all:
        return shown
    if "screening" in shown:
        shown["screening"] = None
    if "facts" in shown:
        shown["facts"] = [each for each in shown["facts"] if each["credential_type"] != SCREENING]
    if "credentials" in shown:
        shown["credentials"] = _withhold_claims(shown["credentials"])
    return shown


def _withhold_claims(credentials: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each | {"claims": {}} if name_of_type(each["vct"]) == SCREENING else each for each in credentials]
