"""Keep copies of others' status lists fresh by the clock, so that no fetch tells an issuer who is looked at.

Every list that a standing depends on, that was ever asked for, or that an issuer's aggregation names is fetched as it
falls due. Only a credential on a list that nobody has heard of yet is fetched for on the spot.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy
import structlog
from sqlalchemy import CompoundSelect
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import parse_aggregation
from service.errors import ServiceError
from service.storage.cache import keep_document
from service.storage.held_lists import MAX_LISTS, list_held_lists
from service.storage.statuses import ListTerms, StatusQuery
from service.storage.tables import CachedDocument, HeldStatusList, StandingCredential, StandingStatusList
from service.storage.trust import list_trusted_issuers, normalize_issuer
from service.verifier.issuers import KeyFinder
from service.verifier.statuses import StatusListUnavailableError, refresh_status_lists
from service.web.context import Context

REFRESH_EVERY = timedelta(minutes=1)
AGGREGATIONS_EVERY = timedelta(hours=1)
_AGGREGATION_TIME_S = 30.0  # one issuer's many silent lists must not hold up the others
_log = structlog.get_logger(__name__)


async def refresh_all_status_lists(context: Context) -> None:
    """Fetch every known list that falls due before the next round, ``REFRESH_EVERY`` from now, apart from decisions."""
    now = context.clock()
    async with context.database.reading() as session:
        wanted = await _list_wanted(session, now)
    for org_id, queries in wanted.items():
        async with context.database.reading() as session:  # when its turn comes: the others' lists may take long
            finder = KeyFinder(context, org_id, await list_trusted_issuers(session, org_id), now)
        await refresh_status_lists(finder, queries, ahead=REFRESH_EVERY, is_look=False)
        await _follow_aggregations(finder)


async def _list_wanted(session: AsyncSession, now: datetime) -> dict[str, set[StatusQuery]]:
    """Return the lists of each organisation, by its standings and by the copies that it holds."""
    connection = await session.connection()
    wanted: dict[str, set[StatusQuery]] = {}
    for org_id, signer, address in (await connection.execute(_select_relied_on(now))).all():
        wanted.setdefault(org_id, set()).add(StatusQuery(str(signer), str(address), 0))
    for (org_id,) in (await connection.execute(sqlalchemy.select(col(HeldStatusList.org_id)).distinct())).all():
        held = await list_held_lists(session, org_id)
        usable = {StatusQuery(terms.issuer, uri, 0) for uri, terms in held.items() if terms.is_usable(now)}
        wanted.setdefault(org_id, set()).update(usable)
    return wanted


def _select_relied_on(now: datetime) -> CompoundSelect[Any]:
    """Select organisation, issuer and address of every list that a standing depends on."""
    owner, issuer = col(StandingCredential.org_id), col(StandingCredential.issuer)
    first, further = col(StandingCredential.status_uri), col(StandingStatusList.uri)
    is_current = col(StandingCredential.expires_at) > now
    is_its = (col(StandingStatusList.org_id) == owner) & (
        col(StandingStatusList.standing_id) == col(StandingCredential.id)
    )
    return sqlalchemy.union(
        sqlalchemy.select(owner, issuer, first).where(is_current, first.is_not(None)),
        sqlalchemy.select(owner, issuer, further).join(StandingStatusList, is_its).where(is_current),
    )


async def _follow_aggregations(finder: KeyFinder) -> None:
    """Fetch lists that nobody has asked for yet, from the issuers whose lists name an aggregation."""
    async with finder.context.database.reading() as session:
        held = await list_held_lists(session, finder.org_id)
    names = {normalize_issuer(row.issuer) for row in finder.trusted}
    places = {
        (terms.issuer, terms.aggregation_uri)
        for terms in held.values()
        if terms.is_usable(finder.now) and normalize_issuer(terms.issuer) in names
    }
    for issuer, uri in sorted((issuer, uri) for issuer, uri in places if uri is not None):
        try:
            async with asyncio.timeout(_AGGREGATION_TIME_S):
                await _follow(finder, issuer, uri, held)
        except (ServiceError, TimeoutError) as error:
            _log.warning("status_aggregation_not_followed", error=type(error).__name__)


async def _follow(finder: KeyFinder, issuer: str, uri: str, held: Mapping[str, ListTerms]) -> None:
    place = (finder.org_id, f"aggregation:{issuer} {uri}")
    async with finder.context.database.reading() as session:
        last = await session.get(CachedDocument, place)
    if last is not None and finder.now - last.fetched_at < AGGREGATIONS_EVERY:
        return
    async with finder.context.database.transaction() as session:  # first, so that what fails is not asked for at once
        await keep_document(session, org_id=finder.org_id, url=place[1], body="", issued_at=None, fetched_at=finder.now)
    answer = await finder.context.fetcher.get(uri)
    if answer.status != 200:
        raise StatusListUnavailableError("The status list aggregation could not be fetched.")
    known = {address for address, terms in held.items() if terms.is_usable(finder.now)}
    named = [each for each in parse_aggregation(answer.body) if each not in known]
    # Those of nobody who was seen yet are the first to go where there are too many, so they aren't fetched for that.
    room = max(0, MAX_LISTS - sum(terms.issuer == issuer for terms in held.values()))
    await refresh_status_lists(finder, [StatusQuery(issuer, each, 0) for each in named[:room]], is_look=False)
