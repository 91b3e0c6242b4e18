"""What an approver has to say of how an accredited investor was verified, or no sale could rest on the credential."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.console.issuer.fields import Field
from service.errors import InvalidInputError
from service.issuer.case_records import CaseView
from service.issuer.case_review import QUALIFIED_INVESTOR

_METHOD = "method"
_ACCREDITED = "us.ai."
# By method, what the rules about it read. Source: 17 CFR 230.506(c)(2)(ii)(A)-(E).
_READ_BY_RULES = {
    "third_party": ("steps_completed_on",),
    "income_review": ("tax_years", "current_year_representation"),
    "net_worth_review": ("oldest_document_on", "consumer_report", "liabilities_representation"),
    "prior_verified": ("verified_on",),
}


class VerificationIncompleteError(InvalidInputError):
    """The credential would not say how the investor was verified, or not what that way needs."""

    code = "verification_incomplete"


def mark_method(view: CaseView, fields: list[Field]) -> list[Field]:
    """Mark the method as needed where it is."""
    return [replace(each, required=each.required or (each.name == _METHOD and _is_asked(view))) for each in fields]


def check_verification(view: CaseView, claims: Mapping[str, Any]) -> None:
    """Refuse an approval on which no sale under Rule 506(c) could rest.

    Raises:
        VerificationIncompleteError: ``errors`` names the claims that are missing.
    """
    if not _is_asked(view):
        return
    needed = (_METHOD, *_READ_BY_RULES.get(str(claims.get(_METHOD)), ()))
    missing = [name for name in needed if name not in claims]
    if missing:
        raise VerificationIncompleteError(
            "How the investor was verified is not complete.",
            errors=[{"path": f"/{each}", "detail": ""} for each in missing],
        )


def _is_asked(view: CaseView) -> bool:
    rule = "" if view.review is None else view.review.rule
    return view.credential_configuration_id == QUALIFIED_INVESTOR and rule.startswith(_ACCREDITED)
