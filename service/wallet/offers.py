"""Credential offers: untrusted texts that name an issuer, credentials and a code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.fetch import Fetcher
from service.wallet.errors import RejectedError, UnsupportedError, UsageError
from service.wallet.http import get_json, optional_text, read_object, refused, split_address, text_member
from service.wallet.links import fetch_page, find_deep_link, read_link

PRE_AUTHORIZED_GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
AUTHORIZATION_CODE_GRANT = "authorization_code"
SCHEMES = ("openid-credential-offer", "haip-vci")
MAX_DESCRIPTION_CHARACTERS = 300
_SUBJECT = "The credential offer"


@dataclass(frozen=True, slots=True)
class TransactionCodePrompt:
    """What the issuer says about the code that it sent by another channel; ``description`` may be empty."""

    numeric: bool
    length: int | None
    description: str


@dataclass(frozen=True, slots=True)
class CredentialOffer:
    """A well-formed offer.

    Attributes:
        credential_issuer: Credential Issuer Identifier.
        configuration_ids: Credential configurations on offer.
        code: Pre-authorized code, single use; ``None`` if the holder agrees on the issuer's page instead.
        issuer_state: What leads that page to this offer; ``None`` if nothing does.
        tx_code: Set if a transaction code is needed here.
        authorization_server: Hint which of the issuer's servers redeems the code.
    """

    credential_issuer: str
    configuration_ids: tuple[str, ...]
    code: str | None
    issuer_state: str | None
    tx_code: TransactionCodePrompt | None
    authorization_server: str | None

    @property
    def grant_type(self) -> str:
        """The grant that this wallet uses."""
        return AUTHORIZATION_CODE_GRANT if self.code is None else PRE_AUTHORIZED_GRANT


async def fetch_offer(text: str, *, fetcher: Fetcher) -> CredentialOffer:
    """Read an offer from a deep link, a web link or page, the address of an offer, or the offer's own JSON.

    Raises:
        UsageError: None of these.
        RejectedError: The offer breaks the protocol.
        UnsupportedError: It has neither a pre-authorized code nor the authorization code grant.
        RefusedError, FetchError: The offer can't be had.

    Source: OpenID4VCI 1.0, section 4.1.
    """
    text = text.strip()
    if text.startswith("{"):
        return read_offer(read_object(text.encode("utf-8", "surrogatepass"), _SUBJECT))
    parameters = read_link(text, schemes=SCHEMES)
    by_value, by_reference = parameters.get("credential_offer"), parameters.get("credential_offer_uri")
    if by_value is not None and by_reference is not None:
        raise RejectedError("The link holds the offer both by value and by reference.")
    if by_value is not None:
        return read_offer(read_object(by_value.encode(), _SUBJECT))
    if by_reference is None and not text.startswith("http"):
        raise UsageError("The link holds no credential offer.")
    if by_reference is None:
        return await _fetch_from_page(text, fetcher)
    return read_offer(await get_json(fetcher, by_reference, subject=_SUBJECT))


async def _fetch_from_page(url: str, fetcher: Fetcher) -> CredentialOffer:
    answer = await fetch_page(url, accept="application/json", fetcher=fetcher)
    deep_link = find_deep_link(answer, schemes=SCHEMES)
    if deep_link is not None:
        return await fetch_offer(deep_link, fetcher=fetcher)
    if answer.status != 200:
        raise refused(answer, _SUBJECT)
    return read_offer(read_object(answer.body, _SUBJECT))


def read_offer(raw: Mapping[str, Any]) -> CredentialOffer:
    """Read an offer from its JSON; unknown members are ignored. Errors as ``fetch_offer``.

    Source: OpenID4VCI 1.0, section 4.1.1.
    """
    grants = raw.get("grants")
    offer_issuer, configuration_ids = _read_issuer(raw), _read_configuration_ids(raw)
    pre_authorized, by_page = (
        grants.get(name) if isinstance(grants, dict) else None
        for name in (PRE_AUTHORIZED_GRANT, AUTHORIZATION_CODE_GRANT)
    )
    grant = pre_authorized if isinstance(pre_authorized, dict) else by_page
    if not isinstance(grant, dict):
        raise UnsupportedError("The offer has no grant that this wallet knows.")
    is_ready = grant is pre_authorized
    return CredentialOffer(
        credential_issuer=offer_issuer,
        configuration_ids=configuration_ids,
        code=text_member(grant, "pre-authorized_code", _SUBJECT) if is_ready else None,
        issuer_state=None if is_ready else optional_text(grant, "issuer_state", _SUBJECT),
        tx_code=_read_tx_code(grant) if is_ready else None,
        authorization_server=optional_text(grant, "authorization_server", _SUBJECT),
    )


def _read_issuer(raw: Mapping[str, Any]) -> str:
    issuer = text_member(raw, "credential_issuer", _SUBJECT)
    split_address(issuer, "The offer's credential_issuer")
    if "?" in issuer or "#" in issuer:
        raise RejectedError("The offer's credential_issuer has a query or a fragment.")
    return issuer


def _read_configuration_ids(raw: Mapping[str, Any]) -> tuple[str, ...]:
    ids = raw.get("credential_configuration_ids")
    if not isinstance(ids, list) or not ids or not all(isinstance(item, str) for item in ids):
        raise RejectedError("The offer names no credentials.")
    if len(set(ids)) != len(ids):
        raise RejectedError("The offer names a credential twice.")
    return tuple(ids)


def _read_tx_code(grant: Mapping[str, Any]) -> TransactionCodePrompt | None:
    # An empty object asks for a code as much as a full one does.
    if "tx_code" not in grant:
        return None
    raw = grant["tx_code"]
    if not isinstance(raw, dict):
        raise RejectedError("The offer's tx_code isn't an object.")
    length, description = raw.get("length"), raw.get("description", "")
    return TransactionCodePrompt(
        numeric=raw.get("input_mode", "numeric") == "numeric",
        length=length if type(length) is int else None,
        description=description[:MAX_DESCRIPTION_CHARACTERS] if isinstance(description, str) else "",
    )
