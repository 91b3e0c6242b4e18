"""The authorization code grant from the holder's side: push a request, visit the issuer's page, come back with a code.

Source: OpenID4VCI 1.0, section 5; RFC 9126; RFC 7636; RFC 9207; RFC 8252.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from service.credentials.encoding import b64url_encode
from service.fetch import Fetcher
from service.wallet.errors import RefusedError, RejectedError, UnsupportedError
from service.wallet.http import MAX_ANSWER_BYTES, read_object, refused, split_address, text_member
from service.wallet.issuer_metadata import CredentialConfiguration, IssuerMetadata, find_authorization_server
from service.wallet.links import read_link
from service.wallet.offers import AUTHORIZATION_CODE_GRANT, CredentialOffer
from service.wallet.text import clean_text

_SUBJECT = "The authorization request"


@dataclass(frozen=True, slots=True)
class Visit:
    """How this wallet sends the holder to an issuer's page.

    Attributes:
        client_id: What the issuer calls this wallet.
        redirect_uri: Where the page sends the holder back.
        go: Takes the page's address; returns the whole address that the holder came back with.
    """

    client_id: str
    redirect_uri: str
    go: Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the holder brought back: the form that redeems the code, for the wallet that is called ``client_id``."""

    client_id: str
    form: Mapping[str, str]


async def agree(
    issuer: IssuerMetadata,
    offer: CredentialOffer,
    configurations: Sequence[CredentialConfiguration],
    *,
    visit: Visit,
    fetcher: Fetcher,
) -> Agreement:
    """Have the holder agree on the issuer's page.

    Raises:
        UnsupportedError: The server takes no pushed requests, or doesn't say who answers.
        RefusedError: The server or the holder said no.
        RejectedError: The answer isn't to this request, or is another server's.
        FetchError: The server can't be reached.
    """
    server = await find_authorization_server(issuer, offer, fetcher=fetcher)
    if server.authorization_endpoint is None or server.pushed_request_endpoint is None or not server.names_itself:
        raise UnsupportedError("The issuer doesn't take authorization requests in the safe way (RFC 9126, RFC 9207).")
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    form = {
        "response_type": "code",
        "client_id": visit.client_id,
        "redirect_uri": visit.redirect_uri,
        "state": state,
        "code_challenge": b64url_encode(hashlib.sha256(verifier.encode()).digest()),
        "code_challenge_method": "S256",
        **_name_wanted(configurations),
    }
    if offer.issuer_state is not None:
        form["issuer_state"] = offer.issuer_state
    answer = await fetcher.post(server.pushed_request_endpoint, form=form, max_bytes=MAX_ANSWER_BYTES)
    if answer.status != 201:
        raise refused(answer, _SUBJECT)
    request_uri = text_member(read_object(answer.body, _SUBJECT), "request_uri", _SUBJECT)
    came_back = await visit.go(_page_address(server.authorization_endpoint, visit.client_id, request_uri))
    code = read_authorization_response(came_back, expected_state=state, expected_issuer=server.identifier)
    redeeming = {
        "grant_type": AUTHORIZATION_CODE_GRANT,
        "client_id": visit.client_id,
        "redirect_uri": visit.redirect_uri,
        "code": code,
        "code_verifier": verifier,
    }
    return Agreement(visit.client_id, redeeming)


def read_authorization_response(came_back: str, *, expected_state: str, expected_issuer: str) -> str:
    """Return the code of an answer to the request that ``expected_state`` was made for.

    Raises:
        UsageError: ``came_back`` is no address.
        RejectedError: It answers another request, or another server than the one that was asked answers (mix-up).
        RefusedError: The answer is no.

    Source: RFC 6749, sections 4.1.2 and 10.12; RFC 9207, section 2.4.
    """
    parameters = read_link(came_back.strip(), schemes=("http",))
    if not hmac.compare_digest(parameters.get("state", "").encode(), expected_state.encode()):
        raise RejectedError("The answer of the issuer's page belongs to another request.")
    if parameters.get("iss") != expected_issuer:
        raise RejectedError("Another server than the one that was asked has answered.")
    if "error" in parameters:
        raise _refusal(parameters)
    return text_member(parameters, "code", "The answer of the issuer's page")


def _refusal(parameters: Mapping[str, str]) -> RefusedError:
    error = clean_text(parameters["error"], limit=80)
    why = clean_text(parameters.get("error_description"), limit=200)
    return RefusedError(f"The issuer's page: refused with {error}{f' ({why})' if why else ''}.", error=error)


def _name_wanted(configurations: Sequence[CredentialConfiguration]) -> dict[str, str]:
    """Name the credentials by scope, as HAIP 1.0 asks, or by their configurations where one has no scope."""
    if all(item.scope for item in configurations):
        return {"scope": " ".join(item.scope for item in configurations)}
    details = [{"type": "openid_credential", "credential_configuration_id": item.id} for item in configurations]
    return {"authorization_details": json.dumps(details)}


def _page_address(endpoint: str, client_id: str, request_uri: str) -> str:
    parts = split_address(endpoint, "The authorization endpoint")
    query = urlencode({"client_id": client_id, "request_uri": request_uri})
    return endpoint + ("&" if parts.query else "?") + query
