"""Keep verified copies of the status lists of issuers outside this deployment."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.bitstring_status_list import find_message, split_reference
from service.credentials.credential import VerifiedCredential
from service.credentials.jose import parse_jws
from service.credentials.status_list import (
    MAX_TOKEN_BYTES,
    Packed,
    StatusList,
    list_changed_entries,
    verify_status_list_token,
)
from service.credentials.status_list_credential import (
    MEDIA_TYPES,
    StatusListCredentialError,
    read_status_list_credential,
    verify_status_list_credential,
)
from service.errors import ServiceError, UnavailableError
from service.linked_data.bundled_contexts import with_contexts
from service.storage.held_lists import USE_NOTED, keep_status_list, list_held_lists, note_use, read_held_content
from service.storage.history import record_status_list
from service.storage.outbox import request_recheck
from service.storage.statuses import StatusQuery, StatusReading
from service.storage.trust import hold_max_status_age, normalize_issuer
from service.verifier.checks import Checklist
from service.verifier.issuers import KeyFinder

MEDIA_TYPE = "application/statuslist+jwt"
STATUS_NAMES = {0: "valid", 1: "revoked", 2: "suspended"}
_log = structlog.get_logger(__name__)


class StatusListUnavailableError(UnavailableError):
    """The list could not be fetched."""

    code = "status_unavailable"


def record_status(checklist: Checklist, reading: StatusReading) -> str:
    """Turn a reading into the check ``status``.

    Returns:
        ``valid``, ``revoked``, ``suspended``, or ``unknown``, which covers every value that we have no name for.
    """
    name = "unknown" if reading.value is None else STATUS_NAMES.get(reading.value, "unknown")
    if reading.code == "status_unavailable":
        checklist.mark_undetermined("status", reading.code, "The status list could not be read, or is too old.")
    elif reading.code is not None:
        checklist.mark_failed("status", reading.code, "The status list is not the issuer's, or has no such index.")
    elif name == "valid":
        stale = "The last copy of the status list that could be read." if reading.stale else None
        checklist.mark_passed("status", code="status_stale" if reading.stale else None, detail=stale)
    else:
        code = "credential_status_unknown" if name == "unknown" else f"credential_{name}"
        checklist.mark_failed("status", code, f"The issuer says that the credential is {name}.")
    return name


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """What an entry of the purpose ``message`` says; ``message`` is the issuer's word for it, for developers only."""

    status: str
    message: str


def list_messages(credential: VerifiedCredential, readings: Sequence[StatusReading]) -> list[StatusMessage]:
    """Return what those entries of a credential say that carry messages, as far as it is known.

    Args:
        credential: Authentic.
        readings: One of each of its ``statuses``.

    Source: Bitstring Status List 1.0, section 3.2.
    """
    if credential.document is None:
        return []
    found = [
        find_message(credential.document, each, reading.value)
        for each, reading in zip(credential.statuses, readings, strict=True)
        if reading.value is not None
    ]
    return [StatusMessage(*each) for each in found if each is not None]


async def refresh_status_lists(
    finder: KeyFinder, queries: Collection[StatusQuery], *, ahead: timedelta = timedelta(0), is_look: bool = True
) -> None:
    """Fetch the lists that are due. A list that cannot be had is logged; what is read later says how old it is.

    Only lists of trusted issuers are fetched, and never ours, which are read where they are kept.

    Args:
        finder: Finds the issuers' keys, and knows the time.
        queries: Name the lists and their issuers; the indices mean nothing here.
        ahead: Also fetch what falls due within this time.
        is_look: Somebody looks at credentials on these lists; False for a schedule.
    """
    names = {normalize_issuer(row.issuer) for row in finder.trusted}
    own_prefix = f"{finder.context.base_url}/issuers/"
    issuers = {
        query.uri: query.issuer
        for query in queries
        if not query.uri.startswith(own_prefix) and normalize_issuer(query.issuer) in names
    }
    if not issuers:
        return
    async with finder.context.database.reading() as session:
        held = await list_held_lists(session, finder.org_id, issuers)
    due = [uri for uri in issuers if uri not in held or held[uri].is_due(finder.now + ahead)]
    for uri in due:
        try:
            await _refresh_list(finder, issuers[uri], uri, finder.now if is_look else None)
        except ServiceError as error:
            _log.warning("status_list_not_refreshed", code=error.code)
    forgotten = [uri for uri, terms in held.items() if terms.used_at is None or finder.now - terms.used_at > USE_NOTED]
    if is_look and forgotten:
        async with finder.context.database.transaction() as session:
            await note_use(session, finder.org_id, forgotten, finder.now)


async def _refresh_list(finder: KeyFinder, issuer: str, uri: str, used_at: datetime | None) -> None:
    status_list = await _fetch_list(finder, issuer, uri)
    async with finder.context.database.transaction() as session:
        # Read here, not before the fetch: a change of policy has passed over the copies that were held by then.
        max_age = await hold_max_status_age(session, finder.org_id, issuer)
        known = await read_held_content(session, finder.org_id, uri)
        kept = await keep_status_list(
            session,
            org_id=finder.org_id,
            issuer=issuer,
            status_list=status_list,
            fetched_at=finder.now,
            max_age=max_age,
            used_at=used_at,
        )
        if kept:
            await _tell(session, finder, known, status_list)
            await record_status_list(session, finder.org_id, issuer, status_list, finder.now, max_age)
    if not kept:
        _log.warning("status_list_older_than_seen")


async def _tell(session: AsyncSession, finder: KeyFinder, known: Packed | None, renewed: StatusList) -> None:
    """Have the platform told whose standings rely on an entry that another copy of the list had otherwise."""
    changed = [] if known is None else list_changed_entries(known, Packed(renewed.bits, renewed.packed))
    if changed:
        await request_recheck(
            await session.connection(),
            org_id=finder.org_id,
            status_list=renewed.uri,
            is_own=False,
            indices=changed,
            now=finder.now,
        )


async def _fetch_list(finder: KeyFinder, issuer: str, uri: str) -> StatusList:
    address, purpose, _ = split_reference(uri)
    accept = MEDIA_TYPE if purpose is None else MEDIA_TYPES
    answer = await finder.context.fetcher.get(address, accept=accept, max_bytes=MAX_TOKEN_BYTES)
    if answer.status != 200:
        raise StatusListUnavailableError("The status list could not be fetched.")
    verify = _verify_token if purpose is None else _verify_credential
    return await verify(finder, issuer, uri, answer.body)


async def _verify_credential(finder: KeyFinder, issuer: str, uri: str, body: bytes) -> StatusList:
    read = read_status_list_credential(body)
    named, kid, _, x5c = read.read_issuer()
    if normalize_issuer(named) != normalize_issuer(issuer):
        raise StatusListCredentialError("The status list is another issuer's.")
    found = await finder.find(issuer, kid, x5c)
    verify = partial(verify_status_list_credential, read, found.key, expected_reference=uri, now=finder.now)
    status_list = await with_contexts(verify)
    found.check_signing_time(status_list.issued_at)
    return status_list


async def _verify_token(finder: KeyFinder, issuer: str, uri: str, body: bytes) -> StatusList:
    token = body.decode("ascii", "replace").strip()
    jws = parse_jws(token, max_bytes=MAX_TOKEN_BYTES)
    found = await finder.find(issuer, jws.header.get("kid"), jws.header.get("x5c"))
    status_list = verify_status_list_token(token, found.key, expected_uri=uri, now=finder.now)
    found.check_signing_time(status_list.issued_at)
    return status_list
