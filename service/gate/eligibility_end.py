"""Until when an answer about eligibility holds: the first instant after which the same question is answered otherwise.

Everything that a party's standing rests on runs out some time, and much of it matters to no rule of the offering. So
each such instant is tried: the pure part of the question is asked again as of just after it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from service.gate.assessment import Assessment, Inquiry
from service.gate.facts import zone_of
from service.gate.party_facts import Party, pick_screening
from service.storage.trust import normalize_issuer

_JUST_AFTER = timedelta(seconds=1)


def find_end(inquiry: Inquiry, assessment: Assessment, holds_at: Callable[[datetime], bool]) -> datetime | None:
    """Return the last instant of an answer; None if nothing that is known ends it.

    Args:
        holds_at: Whether the question would still be answered in this way at a later instant.
    """
    ends = sorted(each for each in set(_list_ends(inquiry, assessment)) if each > inquiry.now)
    return next((each for each in ends if not holds_at(each + _JUST_AFTER)), None)


def _list_ends(inquiry: Inquiry, assessment: Assessment) -> Iterator[datetime]:
    zone = zone_of(assessment.parts[0].offering["regime"])
    for party in assessment.parties:
        yield from _list_ends_of(inquiry, party, zone)
    yield from (_end_of(each, zone) for each in assessment.verdict.last_valid)
    grant = inquiry.access.grant
    if grant is not None and grant.document["valid_until"]:
        yield _end_of(date.fromisoformat(grant.document["valid_until"]), zone)


def _list_ends_of(inquiry: Inquiry, party: Party, zone: tzinfo) -> Iterator[datetime]:
    for credential in party.credentials:
        yield credential.expires_at
        if credential.type == "kyc":
            yield _end_of(credential.expires_at.astimezone(zone).date(), zone)
    screening = pick_screening(party, inquiry.now)
    if screening is not None:
        hours = inquiry.access.register.terms["policy"]["max_screen_age_hours"]
        yield screening.screened_at + timedelta(hours=hours)
    issuers = {normalize_issuer(each.issuer) for each in party.credentials}
    yield from (_end_of(each, zone) for each in inquiry.records.list_trust_ends(inquiry.organization.id, issuers))


def _end_of(day: date, zone: tzinfo) -> datetime:
    """Return the midnight that ends a day."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
