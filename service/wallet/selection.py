"""Which credentials answer a request, and which of their copies."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.credentials.claims_path import ClaimsPath
from service.credentials.credential_types import UnknownCredentialTypeError, type_of
from service.credentials.dcql import DcqlQuery, HeldCredential, Match, QueryUnsatisfiedError, is_of_type, match_query
from service.credentials.dcql_query import W3C_FORMATS, CredentialQuery
from service.credentials.sd_jwt import disclose
from service.wallet.errors import NothingFitsError
from service.wallet.records import PLAIN_CLAIMS, CredentialCopy, HistoryEntry, StoredCredential, read_claims

Rank = tuple[int, bool, int]


@dataclass(frozen=True, slots=True)
class Selected:
    """One credential of an answer.

    Attributes:
        query_id: Credential query that it answers.
        credential: The credential.
        copy: The copy to send.
        paths: Claims to disclose.
        disclosed: Every claim that the verifier would learn about the holder, with its value.
        hidden: Names of the claims that it would not learn.
    """

    query_id: str
    credential: StoredCredential
    copy: CredentialCopy
    paths: tuple[ClaimsPath, ...]
    disclosed: Mapping[str, Any]
    hidden: tuple[str, ...]


def select_credentials(
    query: DcqlQuery,
    held: Sequence[StoredCredential],
    history: Sequence[HistoryEntry],
    *,
    client_id: str,
    now: datetime,
) -> list[Selected]:
    """Choose what to show: valid before expired, newer before older, all bound to one holder key where that can be.

    Verifiers link credentials by their holder key. So the copies are taken that are bound to the key that this
    verifier has seen before, else to the one that was shown least often.

    Args:
        query: The verifier's.
        held: The wallet's credentials, newest first.
        history: Who saw which key.
        client_id: The verifier's identifier.
        now: Aware.

    Raises:
        NothingFitsError: What is required isn't there; ``errors`` has a line per thing missing.

    Source: OpenID4VP 1.0, section 6.4.
    """
    preferred = sorted(held, key=lambda item: item.is_expired(now))
    by_id = {item.id: item for item in preferred}
    offered = [_as_held(item) for item in preferred]
    try:
        found = match_query(query, offered, include_optional=True)
        kid = _choose_key(found, by_id, history, client_id)
        if kid is None and query.credential_sets is not None:
            # What was only asked for if held must not spoil the answer by another holder's key.
            found = match_query(query, offered)
            kid = _choose_key(found, by_id, history, client_id)
    except QueryUnsatisfiedError as error:
        missing = [{"detail": text} for item in query.credentials if (text := _describe_gap(item, offered))]
        raise NothingFitsError("This wallet doesn't hold what the request needs.", errors=missing) from error
    return [_select(query_id, matches, by_id, kid) for query_id, matches in found.items()]


def _as_held(item: StoredCredential) -> HeldCredential:
    (read,) = item.copies[0].read()
    x5c = read.read_issuer().x5c
    return HeldCredential(item.id, item.vct, item.all_claims, item.format, item.issuer, x5c)


def _choose_key(
    found: Mapping[str, Sequence[Match]],
    by_id: Mapping[str, StoredCredential],
    history: Sequence[HistoryEntry],
    client_id: str,
) -> str | None:
    """Return the best key that every part of the answer can be bound to; ``None`` if there is no such key."""
    seen = {shown.kid for entry in history if entry.client_id == client_id for shown in entry.credentials}
    uses = Counter(kid for entry in history for kid in {shown.kid for shown in entry.credentials})
    ranks: dict[str, Rank] = {}
    for kid in dict.fromkeys(copy.kid for item in by_id.values() for copy in item.copies):
        places = [_first_place(matches, by_id, kid) for matches in found.values()]
        if None not in places:
            ranks[kid] = (sum(place for place in places if place is not None), kid not in seen, uses[kid])
    return min(ranks, key=lambda kid: ranks[kid], default=None)


def _first_place(matches: Sequence[Match], by_id: Mapping[str, StoredCredential], kid: str) -> int | None:
    return next((place for place, match in enumerate(matches) if _copy_for(by_id[match.held_id], kid)), None)


def _copy_for(credential: StoredCredential, kid: str | None) -> CredentialCopy | None:
    return next((copy for copy in credential.copies if copy.kid == kid), None)


def _select(
    query_id: str, matches: Sequence[Match], by_id: Mapping[str, StoredCredential], kid: str | None
) -> Selected:
    match = next((match for match in matches if _copy_for(by_id[match.held_id], kid)), matches[0])
    credential = by_id[match.held_id]
    copy = _copy_for(credential, kid) or credential.copies[0]
    shown = _list_shown(credential, copy, match)
    hidden = tuple(name for name in credential.claims if name not in shown)
    return Selected(query_id, credential, copy, match.paths, shown, hidden)


def _list_shown(credential: StoredCredential, copy: CredentialCopy, match: Match) -> Mapping[str, Any]:
    if credential.format in W3C_FORMATS:
        return credential.claims  # these formats hide nothing
    shown = read_claims(disclose(copy.compact, match.paths))
    return {name: value for name, value in shown.items() if name not in PLAIN_CLAIMS}


def _describe_gap(query: CredentialQuery, offered: Sequence[HeldCredential]) -> str | None:
    alone = DcqlQuery((query,))
    try:
        match_query(alone, offered)
    except QueryUnsatisfiedError:
        pass
    else:
        return None
    alternatives = [*map(_type_name, query.vct_values), *(" and ".join(sorted(each)) for each in query.type_values)]
    wanted = " or ".join(alternatives) or f"a credential of the format {query.format}"
    same_type = [item for item in offered if is_of_type(query, item.vct, item.claims)]
    if not same_type:
        return f"no credential of type {wanted}"
    held = same_type[0].claims
    names = sorted(query.claim_names - (held.get("credentialSubject", {}) if query.type_values else held).keys())
    return f"the credential {wanted} lacks {', '.join(names) if names else 'a claim or value that is wanted'}"


def _type_name(vct: str) -> str:
    try:
        return type_of(vct).name
    except UnknownCredentialTypeError:
        return vct
