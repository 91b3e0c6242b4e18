"""Credentials that an issuer decides on later: come back for them until they are issued or denied."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from service.fetch import Fetched, Fetcher
from service.wallet.credential_request import IssuerSession
from service.wallet.dpop import DpopSender
from service.wallet.errors import NegativeAnswerError, RejectedError, UnsupportedError
from service.wallet.http import read_error, read_object, refused, text_member
from service.wallet.issuer_metadata import fetch_issuer_metadata
from service.wallet.keeping import keep_credential
from service.wallet.records import PendingCredential, StoredCredential
from service.wallet.store import Wallet

DEFAULT_INTERVAL_S, MAX_INTERVAL_S = 5, 86_400
_SUBJECT = "The deferred credential response"
_FINAL = frozenset({"credential_request_denied", "invalid_transaction_id", "invalid_token"})


def remember(session: IssuerSession, pending: PendingCredential, answer: Fetched) -> PendingCredential:
    """Keep a transaction, new or known, and when to ask for it again; the access token is kept sealed with it.

    Raises:
        RejectedError: The answer names none, or another one than was asked for.
        UnsupportedError: The issuer has no endpoint to come back to.

    Source: OpenID4VCI 1.0, sections 8.3 and 9.2.
    """
    if session.issuer.deferred_endpoint is None:
        raise UnsupportedError("The issuer will issue this credential later, and doesn't say where to ask for it.")
    body = read_object(answer.body, _SUBJECT)
    transaction_id = text_member(body, "transaction_id", _SUBJECT)
    if pending.transaction_id not in ("", transaction_id):
        raise RejectedError("The deferred credential response is about another transaction.")
    next_at = session.now + timedelta(seconds=_read_interval(body.get("interval")))
    return session.wallet.write_pending(replace(pending, transaction_id=transaction_id, next_at=next_at))


async def collect(
    wallet: Wallet, pending: PendingCredential, *, fetcher: Fetcher, now: datetime
) -> StoredCredential | None:
    """Ask once for a credential; None if the issuer needs more time. What was issued or denied is pending no more.

    Raises:
        RefusedError: Denied, or the access token has run out.
        RejectedError: What came isn't what was asked for, or isn't authentic.
        UnsupportedError, FetchError: The issuer can't be asked.

    Source: OpenID4VCI 1.0, section 9.
    """
    issuer = await fetch_issuer_metadata(pending.issuer, fetcher=fetcher)
    configuration = issuer.configurations.get(pending.configuration_id)
    if issuer.deferred_endpoint is None or configuration is None:
        raise UnsupportedError("The issuer no longer says where to ask for this credential.")
    dpop = None if pending.dpop_key is None else DpopSender(wallet, pending.dpop_key, fetcher, now)
    session = IssuerSession(wallet, issuer, pending.token, fetcher, now, dpop)
    answer = await session.exchange(issuer.deferred_endpoint, {"transaction_id": pending.transaction_id})
    if answer.status == 202:
        remember(session, pending, answer)
        return None
    if answer.status != 200:
        if read_error(answer)[0] in _FINAL:
            wallet.delete_pending(pending)
        raise refused(answer, "The deferred credential request")
    stored = await keep_credential(session, configuration, pending.keys, answer)
    wallet.delete_pending(pending)
    return stored


async def collect_all(
    wallet: Wallet, *, fetcher: Fetcher, clock: Callable[[], datetime], patience: timedelta
) -> tuple[list[StoredCredential], list[NegativeAnswerError]]:
    """Ask for every pending credential once, and again as often as its issuer wants until patience runs out.

    Returns:
        What was received, and the refusals of what was not.
    """
    received: list[StoredCredential] = []
    refusals: list[NegativeAnswerError] = []
    deadline, refused_ids = clock() + patience, set[str]()
    waiting = wallet.list_pending()
    while waiting:
        for pending in waiting:
            try:
                stored = await collect(wallet, pending, fetcher=fetcher, now=clock())
                received += [] if stored is None else [stored]
            except NegativeAnswerError as error:
                refusals.append(error)
                refused_ids.add(pending.id)
        later = [each for each in wallet.list_pending() if each.id not in refused_ids and each.next_at <= deadline]
        if later:
            await asyncio.sleep(max(0.0, (later[0].next_at - clock()).total_seconds()))
        waiting = [each for each in later if each.next_at <= clock()]
    return received, refusals


def _read_interval(value: Any) -> int:
    if type(value) not in (int, float) or not 0 < value <= MAX_INTERVAL_S:
        return DEFAULT_INTERVAL_S
    return max(1, int(value))
