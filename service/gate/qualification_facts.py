"""From qualified-investor credentials to the rules' facts about categories and how they were verified. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from service.credentials.credential_types import ANY_SCOPE
from service.gate.fact_sheet import FactSheet, Source
from service.gate.held_credentials import VALID, HeldCredential

ACCREDITED, QUALIFIED_PURCHASER, INSTITUTIONAL_BUYER = "us.ai.", "us.qp.", "us.qib"
SCOPE_NOT_SHOWN = "not shown"
_DATES = ("steps_completed_on", "oldest_document_on", "verified_on")
_CLAIMS = (
    *("method", "reviewed_by", "tax_years", "consumer_report"),
    *("liabilities_representation", "current_year_representation"),
)


class QualificationQuestion(Protocol):
    """The part of a question that these facts depend on."""

    @property
    def now(self) -> datetime:
        """The instant of the decision."""

    @property
    def needs_qualification(self) -> bool:
        """Whether the regime asks this party for a qualified-investor credential."""


def pick_qualification(
    credentials: Sequence[HeldCredential], question: QualificationQuestion
) -> dict[str, HeldCredential]:
    """Choose one credential per category of investor: a valid one before others, then the newest verification."""
    chosen: dict[str, HeldCredential] = {}
    for prefix in (ACCREDITED, QUALIFIED_PURCHASER, INSTITUTIONAL_BUYER):
        fitting = [each for each in credentials if str(each.claims.get("category", "")).startswith(prefix)]
        if fitting:
            chosen[prefix] = max(fitting, key=lambda each: (each.status_at(question.now) == VALID, _verified_on(each)))
    return chosen


def _verified_on(credential: HeldCredential) -> str:
    return max((str(credential.claims[name]) for name in _DATES if name in credential.claims), default="")


def put_qualification(
    sheet: FactSheet, role: str, chosen: dict[str, HeldCredential], question: QualificationQuestion
) -> str:
    """Set the facts; return the status that the needed credential contributes.

    Where the regime asks for the credential, a broken one denies by its status and its claims are kept. Where it is
    only one of several ways, a broken one is as good as none, and the other ways stay open.
    """
    nobody: Source = {"kind": "standing", "detail": "no valid credential"}
    status = VALID
    for prefix, fact in ((ACCREDITED, "accredited"), (QUALIFIED_PURCHASER, "qp"), (INSTITUTIONAL_BUYER, "qib")):
        credential = chosen.get(prefix)
        needed = question.needs_qualification and prefix == ACCREDITED
        if credential and needed:
            status = credential.status_at(question.now)
        counts = credential is not None and (needed or credential.status_at(question.now) == VALID)
        sheet.put(f"{role}.{fact}", counts, credential.source if credential and counts else nobody)
        if credential and counts and prefix == ACCREDITED:
            sheet.put_claims(f"{role}.verification", _read_verification(credential), credential.source)
    return status


def _read_verification(credential: HeldCredential) -> dict[str, Any]:
    claims = credential.claims
    values: dict[str, Any] = {name: claims.get(name) for name in (*_CLAIMS, *_DATES)}
    attester = credential.trusted_as or claims.get("attester_class")
    if attester:
        values["attester"] = attester.removeprefix("us_")
    # A scope that was not shown may be any; taken for itself it fits no offering.
    scope = claims.get("scope", SCOPE_NOT_SHOWN)
    values["scope"] = None if scope == ANY_SCOPE else scope
    # Who verified before, for the five-year path: the issuer that the status is good for, else who says so.
    values["verified_by_issuer"] = values["scope"] or credential.issuer
    return values
