"""OpenID4VCI from the holder's side: look at an offer, then redeem it and keep what it gives."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.fetch import Fetcher
from service.keys import PublicKey
from service.wallet.authorization import Agreement
from service.wallet.collect import remember
from service.wallet.credential_request import IssuerSession, request_credential
from service.wallet.dpop import DpopSender, dpop_sender
from service.wallet.errors import RejectedError, UnsupportedError, UsageError
from service.wallet.http import MAX_ANSWER_BYTES, read_object, refused, text_member
from service.wallet.issuer_metadata import (
    CredentialConfiguration,
    IssuerMetadata,
    fetch_issuer_metadata,
    find_authorization_server,
)
from service.wallet.keeping import keep_credential
from service.wallet.offers import PRE_AUTHORIZED_GRANT, CredentialOffer, fetch_offer
from service.wallet.records import PendingCredential, StoredCredential
from service.wallet.store import Wallet

NamedRequest = tuple[CredentialConfiguration, Mapping[str, str]]
"""A credential, and how a Credential Request names it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An offer with what its issuer says about it; nothing was redeemed yet.

    Attributes:
        offer: The offer.
        issuer: Its issuer.
        configurations: What would be received.
        skipped: Ids on offer in formats that this wallet doesn't take.
    """

    offer: CredentialOffer
    issuer: IssuerMetadata
    configurations: Sequence[CredentialConfiguration]
    skipped: Sequence[str]


async def propose(text: str, *, fetcher: Fetcher) -> Proposal:
    """Read an offer and its issuer's metadata, without telling the issuer anything about the holder.

    Raises:
        UsageError: ``text`` is no offer.
        NegativeAnswerError: The offer or the metadata break the protocol, or nothing in it can be received.
        FetchError: They can't be had.
    """
    offer = await fetch_offer(text, fetcher=fetcher)
    issuer = await fetch_issuer_metadata(offer.credential_issuer, fetcher=fetcher)
    known = [issuer.configurations[item] for item in offer.configuration_ids if item in issuer.configurations]
    if not known:
        raise UnsupportedError(
            "The offer holds nothing that this wallet can receive (SD-JWT VC bound to an ES256 key)."
        )
    skipped = [item for item in offer.configuration_ids if item not in issuer.configurations]
    return Proposal(offer, issuer, known, skipped)


async def accept(
    wallet: Wallet,
    proposal: Proposal,
    *,
    tx_code: str | None,
    fetcher: Fetcher,
    now: datetime,
    copies: int = 1,
    new_key: bool = False,
    agreement: Agreement | None = None,
) -> list[StoredCredential]:
    """Redeem an offer, verify what comes and store it; what the issuer decides on later is pending in the wallet.

    Args:
        wallet: Where it is kept; copy number i is bound to its shared key number i.
        proposal: What the holder agreed to.
        tx_code: Transaction code; sent only if the offer asks for one.
        fetcher: Outbound requests.
        now: Aware.
        copies: How many copies to ask for; cut to what the issuer gives.
        new_key: Bind to keys of its own; such a credential can't be shown together with others.
        agreement: From the issuer's page, for an offer without a code.

    Raises:
        UsageError: The offer needs a transaction code, or a visit to the issuer's page.
        RefusedError: The issuer refused; an offer that was used before ends like this.
        RejectedError: What came isn't what was offered, or isn't authentic; the issuer is told that it failed.
        FetchError: The issuer can't be reached.

    Source: OpenID4VCI 1.0, sections 6, 8 and 11.
    """
    server = await find_authorization_server(proposal.issuer, proposal.offer, fetcher=fetcher)
    form = _build_form(proposal.offer, tx_code) if agreement is None else agreement.form
    client_id = None if agreement is None else agreement.client_id
    with dpop_sender(wallet, fetcher, now) if server.takes_dpop else nullcontext() as dpop:
        redeemed = await _redeem(proposal, server.token_endpoint, form, fetcher=fetcher, dpop=dpop)
        session = IssuerSession(
            wallet, proposal.issuer, redeemed.token, fetcher, now, dpop if redeemed.is_bound else None, client_id
        )
        count = max(1, min(copies, proposal.issuer.batch_size))
        stored = []
        for configuration, named in redeemed.requests:
            keys = [wallet.create_key() if new_key else wallet.shared_key(index) for index in range(count)]
            answer = await request_credential(session, named, keys)
            if answer.status == 202:
                remember(session, _begin_waiting(session, configuration, keys), answer)
            else:
                stored.append(await keep_credential(session, configuration, keys, answer))
    return stored


@dataclass(frozen=True, slots=True)
class _Redeemed:
    """An access token, whether it is bound to the key of the sender, and what to ask for with it."""

    token: str
    is_bound: bool
    requests: Sequence[NamedRequest]


def _build_form(offer: CredentialOffer, tx_code: str | None) -> dict[str, str]:
    if offer.code is None:
        raise UsageError("The issuer asks for your agreement on its own page, which was not visited.")
    form = {"grant_type": PRE_AUTHORIZED_GRANT, "pre-authorized_code": offer.code}
    if offer.tx_code is None:
        return form
    if not tx_code:
        raise UsageError("The offer needs the transaction code that the issuer sent you; give it with --tx-code.")
    return form | {"tx_code": tx_code}


async def _redeem(
    proposal: Proposal, endpoint: str, form: Mapping[str, str], *, fetcher: Fetcher, dpop: DpopSender | None
) -> _Redeemed:
    if dpop is not None:
        answer = await dpop.post(endpoint, form=dict(form))
    else:
        answer = await fetcher.post(endpoint, form=dict(form), max_bytes=MAX_ANSWER_BYTES)
    if answer.status != 200:
        raise refused(answer, "The offer")
    body = read_object(answer.body, "The token response")
    kind = str(body.get("token_type", "")).lower()
    if kind != "bearer" and (kind != "dpop" or dpop is None):
        raise UnsupportedError("The issuer gives access tokens of a kind that this wallet doesn't use.")
    token = text_member(body, "access_token", "The token response")
    requests = _name_requests(proposal.configurations, body.get("authorization_details"))
    return _Redeemed(token, kind == "dpop", requests)


def _name_requests(configurations: Sequence[CredentialConfiguration], details: Any) -> list[NamedRequest]:
    """Name each credential by its identifiers if the token response has them, else by its configuration."""
    if details is None:
        return [(item, {"credential_configuration_id": item.id}) for item in configurations]
    by_id = {item.id: item for item in configurations}
    requests: list[NamedRequest] = []
    for detail in details if isinstance(details, list) else []:
        match detail:
            case {
                "type": "openid_credential",
                "credential_configuration_id": str() as configuration_id,
                "credential_identifiers": list() as identifiers,
            } if configuration_id in by_id:
                requests += [(by_id[configuration_id], {"credential_identifier": str(item)}) for item in identifiers]
    if not requests:
        raise RejectedError("The token response authorizes nothing that was offered.")
    return requests


def _begin_waiting(
    session: IssuerSession, configuration: CredentialConfiguration, keys: Sequence[PublicKey]
) -> PendingCredential:
    return PendingCredential(
        id="",
        issuer=session.issuer.identifier,
        configuration_id=configuration.id,
        name=configuration.name,
        token=session.token,
        dpop_key=None if session.dpop is None else session.dpop.key,
        keys=tuple(keys),
        transaction_id="",
        next_at=session.now,
    )
