"""What callers without the scope ``compliance`` may not see of an investor: anything that a screening found. Pure.

Telling a customer that a sanctions or money-laundering check stopped a trade is an offence in many places, and what a
caller sees ends up on pages for customers.

Source: api.md section 5; docs/decisions/0010-redacted-decisions.md.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from service.errors import ForbiddenError
from service.verifier.verification import name_of_type

COMPLIANCE = "compliance"
SCREENING = "aml-screening"
_CLEAR = "clear"


class ComplianceRequiredError(ForbiddenError):
    """Without the scope compliance nobody lets a frozen or matched investor trade again."""

    code = "compliance_required"


def withhold_screenings(answer: Mapping[str, Any], *, sees_all: bool) -> dict[str, Any]:
    """Leave what screenings say out of a standing, an investor or a presentation request.

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


def check_lifting(*, frozen: bool, screening: Mapping[str, Any] | None, changes: Mapping[str, Any]) -> None:
    """Check that a change by a caller without ``compliance`` takes no freeze and no match of the platform's own away.

    Args:
        frozen: Whether the investor is frozen now.
        screening: The platform's own screening now.
        changes: As ``put_investor`` takes them.

    Raises:
        ComplianceRequiredError: It would.
    """
    thaws = frozen and changes.get("frozen") is False
    matched = screening is not None and screening["result"] != _CLEAR
    wanted = changes.get("screening")
    clears = matched and "screening" in changes and (wanted is None or wanted["result"] == _CLEAR)
    if thaws or clears:
        raise ComplianceRequiredError("To let this investor trade again needs the scope compliance.")
