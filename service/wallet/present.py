"""OpenID4VP from the holder's side: what would be shown, and showing it."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypedDict

from service.credentials.jose import SignFunction
from service.credentials.jwt_vc import JWT_VC_JSON
from service.credentials.jwt_vp import present_jwt_vc
from service.credentials.ldp_vc_presenting import present_ldp_vc
from service.credentials.presentation import hash_transaction_data, present_sd_jwt
from service.credentials.transaction_data import TransactionData, describe_in_words
from service.fetch import Fetcher
from service.linked_data.bundled_contexts import with_contexts
from service.wallet.errors import RefusedError
from service.wallet.presentation_request import PresentationRequest
from service.wallet.records import HistoryEntry, ShownCredential
from service.wallet.responses import ACCESS_DENIED, build_response, post_response, send_error
from service.wallet.selection import Selected
from service.wallet.store import Wallet
from service.wallet.transactions import assign_transactions, choose_hash


class _Terms(TypedDict):
    """What every presentation is made with, whatever its format."""

    audience: str
    nonce: str
    issued_at: datetime
    sign: SignFunction


async def present(
    wallet: Wallet, request: PresentationRequest, selection: Sequence[Selected], *, fetcher: Fetcher, now: datetime
) -> str | None:
    """Send what the holder agreed to, and nothing else; that it is sent is recorded first.

    Args:
        wallet: Signs the key bindings and keeps the history.
        request: Authenticated and checked.
        selection: Shown to the holder before.
        fetcher: Outbound requests.
        now: Aware.

    Returns:
        The address that the verifier wants opened next, or ``None``.

    Raises:
        RefusedError: The verifier didn't accept the presentation.
        NothingFitsError: A credential that a transaction needs isn't shown; nothing was sent.
        UnsupportedError, RejectedError: The answer can't be encrypted or made; nothing was sent.
        FetchError: No answer; the verifier may have the presentation.

    Source: OpenID4VP 1.0, sections 8.1 to 8.3 and appendix B.3.
    """
    agreed = assign_transactions(request.transactions, selection)
    vp_token = {item.query_id: [await _sign(wallet, request, item, agreed[item.query_id], now)] for item in selection}
    form = build_response(request, vp_token)
    entry = _new_entry(request, selection, "sending", now)
    wallet.write_history(entry)
    try:
        redirect_uri = await post_response(request.reply, form, fetcher=fetcher)
    except RefusedError:
        wallet.write_history(replace(entry, outcome="refused"))
        raise
    wallet.write_history(replace(entry, outcome="accepted"))
    return redirect_uri


async def decline(wallet: Wallet, request: PresentationRequest, *, fetcher: Fetcher, now: datetime) -> None:
    """Tell the verifier that the holder said no. Source: OpenID4VP 1.0, section 8.5."""
    wallet.write_history(_new_entry(request, (), "declined", now))
    await send_error(request.reply, ACCESS_DENIED, fetcher=fetcher)


async def _sign(
    wallet: Wallet, request: PresentationRequest, item: Selected, agreed: Sequence[TransactionData], now: datetime
) -> str | dict[str, Any]:
    terms = _Terms(
        audience=request.client_id,
        nonce=request.nonce,
        issued_at=now,
        sign=wallet.signing_function(item.copy.kid),
    )
    document = item.copy.document
    if not isinstance(document, str):
        return await with_contexts(partial(present_ldp_vc, document, **terms))
    if item.credential.format == JWT_VC_JSON:
        return present_jwt_vc(document, **terms)
    algorithm, named = choose_hash(agreed)
    hashes = [hash_transaction_data(entry.encoded, algorithm) for entry in agreed]
    return present_sd_jwt(
        document,
        names=item.paths,
        **terms,
        transaction_data_hashes=hashes or None,
        transaction_data_hashes_alg=algorithm if named else None,
    )


def _new_entry(
    request: PresentationRequest, selection: Sequence[Selected], outcome: str, now: datetime
) -> HistoryEntry:
    agreed = request.transactions if selection else ()
    shown = tuple(
        ShownCredential(
            credential_id=item.credential.id,
            name=item.credential.name,
            issuer=item.credential.issuer,
            kid=item.copy.kid,
            claims=tuple(item.disclosed),
        )
        for item in selection
    )
    return HistoryEntry(
        id=f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}",
        presented_at=now,
        client_id=request.client_id,
        client_name=request.client_name,
        host=request.reply.host,
        outcome=outcome,
        credentials=shown,
        agreed=tuple("; ".join(": ".join(line) for line in describe_in_words(entry)) for entry in agreed),
    )
