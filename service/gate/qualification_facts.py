"""From qualified-investor and investment-limit credentials to the rules' facts about a party's status. Pure."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from service.credentials.credential_types import ANY_SCOPE
from service.gate.fact_sheet import FactSheet, Source
from service.gate.held_credentials import VALID, HeldCredential, worst_status
from service.rules.catalog import CATEGORIES
from service.rules.categories import CategoryFacts

SCOPE_NOT_SHOWN = "not shown"
_ALWAYS_READ = "us"
"""Jurisdiction whose statuses bind whatever the regime: holder limits of US law follow the security."""
_DATES = ("steps_completed_on", "oldest_document_on", "verified_on")
_CLAIMS = (
    *("method", "reviewed_by", "tax_years", "consumer_report"),
    *("liabilities_representation", "current_year_representation"),
)
_NOBODY: Source = {"kind": "standing", "detail": "no valid credential"}


class QualificationQuestion(Protocol):
    """The part of a question that these facts depend on."""

    @property
    def now(self) -> datetime:
        """The instant of the decision."""

    @property
    def regime(self) -> str:
        """The offering's regime."""

    @property
    def currency(self) -> str:
        """The security's currency."""

    @property
    def institutions(self) -> frozenset[str]:
        """Names under which a credential's scope may mean whoever asks."""

    @property
    def asks_category(self) -> str | None:
        """Beginning of the category without which this party may not take part."""


def put_qualifications(
    sheet: FactSheet, role: str, credentials: Sequence[HeldCredential], question: QualificationQuestion
) -> str:
    """Set what the party's credentials say of its status; return the status that a needed credential contributes.

    Where the regime asks for the credential, a broken one denies by its status and its claims are kept. Where it is
    only one of several ways, a broken one is as good as none, and the other ways stay open.
    """
    # Of nobody but a buyer does a rule read a status under another law.
    regime = question.regime if role == "buyer" else _ALWAYS_READ
    return worst_status([_put_kind(sheet, role, kind, credentials, question) for kind in _list_kinds(regime)])


@cache
def _list_kinds(regime: str) -> list[CategoryFacts]:
    jurisdictions = (_ALWAYS_READ, regime.partition(".")[0])
    return [kind for kind in CATEGORIES if kind.jurisdiction in jurisdictions]


def _put_kind(
    sheet: FactSheet,
    role: str,
    kind: CategoryFacts,
    credentials: Sequence[HeldCredential],
    question: QualificationQuestion,
) -> str:
    credential = _pick(kind, credentials, question.now)
    status = credential.status_at(question.now) if credential else VALID
    needed = question.asks_category is not None and kind.covers(question.asks_category)
    if credential is None or not (needed or status == VALID):
        _put_nobody(sheet, role, kind)
        return VALID
    source, category = credential.source, str(credential.claims["category"])
    if kind.flag:
        sheet.put(f"{role}.{kind.flag}", True, source)
    values: dict[str, Any] = {kind.value_fact: kind.name_value(category)} if kind.value_fact else {}
    if kind.date_fact:
        values[kind.date_fact] = _verified_on(credential) or None
    if kind.opt_in_fact:
        values[kind.opt_in_fact] = credential.claims.get("scope") in question.institutions or None
    sheet.put_claims(role, values, source)
    if kind.verification:
        sheet.put_claims(f"{role}.verification", _read_verification(credential), source)
    return status if needed else VALID


def _pick(kind: CategoryFacts, credentials: Sequence[HeldCredential], now: datetime) -> HeldCredential | None:
    """Choose one credential of a kind: a valid one before others, then the newest verification."""
    fitting = [each for each in credentials if kind.covers(str(each.claims.get("category", "")))]
    return max(fitting, key=lambda each: (each.status_at(now) == VALID, _verified_on(each)), default=None)


def _verified_on(credential: HeldCredential) -> str:
    return max((str(credential.claims[name]) for name in _DATES if name in credential.claims), default="")


def _put_nobody(sheet: FactSheet, role: str, kind: CategoryFacts) -> None:
    if kind.flag:
        sheet.put(f"{role}.{kind.flag}", False, _NOBODY)
    if kind.value_fact and kind.otherwise:
        sheet.put(f"{role}.{kind.value_fact}", kind.otherwise, _NOBODY)


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


def put_limit(
    sheet: FactSheet, role: str, credentials: Sequence[HeldCredential], question: QualificationQuestion
) -> None:
    """Set how much the party may buy at least, by the newest valid credential for this regime and currency."""
    wanted = (question.regime, question.currency)
    for credential in credentials:
        claims = credential.claims
        fits = credential.type == "investment-limit" and (claims.get("regime"), claims.get("currency")) == wanted
        if fits and credential.status_at(question.now) == VALID:
            sheet.put_claims(role, {"limit_at_least": claims.get("limit_at_least")}, credential.source)
            return
