"""From what a platform holds about an investor to the rules' facts about a party. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from service.gate.fact_sheet import FactSheet, Source
from service.gate.held_credentials import VALID, HeldCredential, pick_newest, worst_status
from service.gate.qualification_facts import put_limit, put_qualifications
from service.gate.values import count_hours
from service.storage.subject_keys import DataKey

HIT_PREVAILS = timedelta(hours=24)
RESULTS = ("clear", "potential", "hit")


@dataclass(frozen=True, slots=True)
class Party:
    """Everything that a platform holds about one investor at the instant of the question.

    Attributes:
        subject: Digest of that KYC's (``iss``, ``sub``); None while unbound.
        is_bound: The investor is bound to one KYC (``iss``, ``sub``) by a verified presentation.
        screening: The platform's own screening: ``result``, ``screened_at``, ``lists``; None if it made none.
        credentials: What was presented, newest first within a type, whatever became of it since.
        key: Seals what of a bundle leads to the investor; None for somebody whom the platform has not recorded.
    """

    ref: str
    is_bound: bool
    frozen: bool
    screening: Mapping[str, Any] | None
    credentials: tuple[HeldCredential, ...]
    subject: str | None = None
    key: DataKey | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What the facts about a party depend on besides the party.

    Attributes:
        now: The instant of the decision.
        on: The trade date, a civil date in ``zone``.
        regime: The offering's.
        currency: The security's.
        institutions: Names under which a credential's scope may mean the platform that asks.
        asks_category: Beginning of the qualified-investor category without which this party may not take part.
        max_screen_age_hours: Policy.
    """

    now: datetime
    on: date
    zone: tzinfo
    regime: str
    currency: str
    institutions: frozenset[str]
    asks_category: str | None
    max_screen_age_hours: int


@dataclass(frozen=True, slots=True)
class Screening:
    """One screening against sanctions lists."""

    result: str
    screened_at: datetime
    source: Source
    credential: HeldCredential | None = None

    def is_usable(self, now: datetime) -> bool:
        """Tell whether nothing became of the credential that it is in."""
        return self.credential is None or self.credential.status_at(now) == VALID


def put_party(sheet: FactSheet, role: str, party: Party, question: Question) -> None:
    """Set the facts about one party below ``role``; what nobody supplied stays absent."""
    kyc = pick_newest(party.credentials, "kyc")
    standing: Source = {"kind": "standing"}
    sheet.put(f"{role}.id", party.ref, {"kind": "request"})
    sheet.put(f"{role}.identified", party.is_bound and kyc is not None, standing)
    sheet.put(f"{role}.frozen", party.frozen, {"kind": "investor"})
    used = [_put_kyc(sheet, role, kyc, question)] if kyc else []
    presented = _list_presented_screenings(party)
    screening = _pick_screening(party, presented, question.now)
    if screening:
        used.append(_put_screening(sheet, role, screening, question))
    _put_political_exposure(sheet, role, party, presented)
    used.append(put_qualifications(sheet, role, party.credentials, question))
    put_limit(sheet, role, party.credentials, question)
    sheet.put(f"{role}.credential_status", worst_status(used), standing)


def is_natural(party: Party) -> bool:
    """Tell whether the newest KYC is that of a natural person."""
    kyc = pick_newest(party.credentials, "kyc")
    return kyc is not None and "age_over_18" in kyc.claims


def read_residence(party: Party | None) -> str | None:
    """Return the country that the newest KYC names, or None."""
    kyc = pick_newest(party.credentials, "kyc") if party else None
    country = kyc.claims.get("country") if kyc else None
    return country if isinstance(country, str) else None


def last_valid_day(expires_at: datetime, zone: tzinfo) -> date:
    """Return the last civil day in ``zone`` that lies, in whole or in part, before the expiry."""
    return (expires_at - timedelta(seconds=1)).astimezone(zone).date()


def _put_kyc(sheet: FactSheet, role: str, kyc: HeldCredential, question: Question) -> str:
    """Set what the KYC says; return the status that it contributes."""
    claims, source = kyc.claims, kyc.source
    valid_until = last_valid_day(kyc.expires_at, question.zone)
    sheet.put(f"{role}.kyc_valid_until", valid_until, source)
    named = {"kyc_loa": "loa", "country": "country", "state": "state", "us_person": "us_person"}
    said = {fact: claims.get(claim) for fact, claim in named.items()}
    sheet.put_claims(role, said | _correct_us_person(claims), source)
    _put_owners(sheet, role, claims, source)
    status = kyc.status_at(question.now)
    # KYC_EXPIRED already says it; CRED_EXPIRED is for the hours between the expiry and the end of its day.
    return VALID if status == "expired" and valid_until < question.on else status


def _correct_us_person(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Say of a natural person resident in the United States that they are a U.S. person, whatever the issuer says.

    Source: 17 CFR 230.902(k)(1)(i).
    """
    lives_there = "age_over_18" in claims and claims.get("country") == "US"
    return {"us_person": True} if lives_there and claims.get("us_person") is False else {}


def _put_owners(sheet: FactSheet, role: str, claims: Mapping[str, Any], source: Source) -> None:
    """Say that owners are known, or that all of them may be unknown; a KYC that shows neither leaves the fact out."""
    if "age_over_18" in claims or claims.get("beneficial_owners_complete") is True:
        sheet.put(f"{role}.owners", [], source)
    elif claims.get("beneficial_owners_complete") is False:
        sheet.put(f"{role}.owners", [{"pct": Decimal(100), "identified": False, "blocked": False}], source)
        sheet.put(f"{role}.bo_regime", "US", source)


def pick_screening(party: Party, now: datetime) -> Screening | None:
    """Choose the screening that counts: the newest, unless a hit of the last 24 hours says otherwise.

    Source: api.md section 4, ``PUT /v1/investors/{ref}``.
    """
    return _pick_screening(party, _list_presented_screenings(party), now)


def _pick_screening(party: Party, presented: Sequence[Screening], now: datetime) -> Screening | None:
    own = _list_own_screenings(party)
    usable = [each for each in (*own, *presented) if each.is_usable(now)]
    recent_hits = (each for each in usable if each.result == "hit" and now - each.screened_at <= HIT_PREVAILS)
    newest = sorted((*own, *presented[:1]), key=lambda each: each.screened_at, reverse=True)
    candidates = [each for each in newest if each.is_usable(now)] or newest
    return next(recent_hits, candidates[0] if candidates else None)


def _list_own_screenings(party: Party) -> Sequence[Screening]:
    if not party.screening:
        return ()
    source: Source = {"kind": "investor", "screened_at": party.screening["screened_at"]}
    screened_at = _read_instant(party.screening["screened_at"])
    return [Screening(party.screening["result"], screened_at, source)] if screened_at else ()


def _list_presented_screenings(party: Party) -> Sequence[Screening]:
    """Return what the presented credentials say, the newest screening first: presenting an old one again is no way
    around a later one.
    """
    found = []
    for credential in party.credentials:
        screened_at = _read_instant(credential.claims.get("screened_at"))
        if credential.type == "aml-screening" and credential.claims.get("result") in RESULTS and screened_at:
            found.append(Screening(credential.claims["result"], screened_at, credential.source, credential))
    return sorted(found, key=lambda each: each.screened_at, reverse=True)


def _read_instant(value: Any) -> datetime | None:
    """Read an instant; None if an issuer wrote something else."""
    try:
        instant = datetime.fromisoformat(value)
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _put_screening(sheet: FactSheet, role: str, screening: Screening, question: Question) -> str:
    hours = count_hours(question.now - screening.screened_at)
    sheet.put(f"{role}.sanctions", screening.result, screening.source)
    sheet.put(f"{role}.screen_age_hours", hours, screening.source)
    status = screening.credential.status_at(question.now) if screening.credential else VALID
    # AML_SCREEN_STALE already says it.
    return VALID if status == "expired" and hours > question.max_screen_age_hours else status


def _put_political_exposure(sheet: FactSheet, role: str, party: Party, screened: Sequence[Screening]) -> None:
    """Say what the screening credential says, hidden claims left out; a platform's own screening found no exposure."""
    credential = screened[0].credential if screened else pick_newest(party.credentials, "aml-screening")
    if credential:
        sheet.put_claims(role, {name: credential.claims.get(name) for name in ("pep", "edd_done")}, credential.source)
        return
    for name in ("pep", "edd_done"):
        sheet.put(f"{role}.{name}", False, {"kind": "investor"})
