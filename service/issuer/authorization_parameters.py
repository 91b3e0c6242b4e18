"""Read the parameters of a pushed authorization request. Pure.

Source: RFC 9126, section 2.1; RFC 6749, section 4.1.1; RFC 7636, section 4.3; OpenID4VCI 1.0, section 5.1.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.credentials.configurations import CONFIGURATIONS
from service.credentials.jose import b64url_encode
from service.errors import ProtocolError
from service.issuer.tokens import read_requested_ids

MAX_STATE_CHARACTERS = 2048
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of a SHA-256
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, section 4.1
# A loopback address in visible ASCII, without a fragment
_LOOPBACK = re.compile(
    r"(?P<host>http://(?:127\.0\.0\.1|\[::1\]))(?::(?P<port>[1-9][0-9]{0,4}))?(?P<rest>(?:[/?][!\x22$-~]*)?)"
)
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class PushedRequest:
    """A well-formed authorization request; whose it is, and whether it may be granted, is not known yet.

    Attributes:
        redirect_uri: As sent; one of the client's own.
        state: For the wallet, given back as it came.
        code_challenge: SHA-256 of the verifier that the token request has to bring.
        dpop_jkt: Thumbprint of the key that the code is to be bound to.
        scope_ids, detail_ids: What ``scope`` and ``authorization_details`` ask for; one of them is not empty.
        issuer_state: From an offer.
    """

    redirect_uri: str
    state: str | None
    code_challenge: str
    dpop_jkt: str | None
    scope_ids: tuple[str, ...]
    detail_ids: tuple[str, ...]
    issuer_state: str | None


def read_pushed_request(form: Mapping[str, str], *, redirect_uris: Sequence[str]) -> PushedRequest:
    """Read the form of an authenticated client; parameters that we do not know are ignored, empty ones are absent.

    Args:
        form: As ``read_form`` returns it.
        redirect_uris: What the client registered.

    Raises:
        ProtocolError: ``invalid_request``, ``request_not_supported``, ``unsupported_response_type``,
            ``invalid_scope`` or ``invalid_authorization_details``.
    """
    sent = {name: value for name, value in form.items() if value}
    _check_kind(sent)
    scope_ids, detail_ids = _read_wanted(sent)
    return PushedRequest(
        redirect_uri=_read_redirect_uri(sent, redirect_uris),
        state=_read_state(sent),
        code_challenge=_read_challenge(sent),
        dpop_jkt=_read_thumbprint(sent),
        scope_ids=scope_ids,
        detail_ids=detail_ids,
        issuer_state=sent.get("issuer_state"),
    )


def matches_redirect_uri(given: str, registered: str) -> bool:
    """Compare byte for byte; only the port of a loopback address is free, as programs cannot choose theirs ahead.

    Source: RFC 9700, section 2.1; RFC 8252, section 7.3.
    """
    if given == registered:
        return True
    ours = _strip_loopback_port(registered)
    return ours is not None and ours == _strip_loopback_port(given)


def verify_code_verifier(verifier: str, *, challenge: str) -> bool:
    """Tell whether ``verifier`` is what ``challenge`` was made from with S256. Source: RFC 7636, section 4.6."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    made = b64url_encode(hashlib.sha256(verifier.encode()).digest())
    return hmac.compare_digest(made, challenge)


def _check_kind(sent: Mapping[str, str]) -> None:
    if "request_uri" in sent:  # RFC 9126, section 2.1: a pushed request cannot point to another
        raise ProtocolError("invalid_request", "The parameter request_uri cannot be pushed.")
    if "request" in sent:
        raise ProtocolError("request_not_supported", "Request objects are not supported.")
    if "response_type" not in sent:
        raise ProtocolError("invalid_request", "The parameter response_type is missing.")
    if sent["response_type"] != "code":
        raise ProtocolError("unsupported_response_type", "Only the response type code is supported.")
    if sent.get("response_mode", "query") != "query":
        raise ProtocolError("invalid_request", "Only the response mode query is supported.")


def _read_redirect_uri(sent: Mapping[str, str], registered: Sequence[str]) -> str:
    given = sent.get("redirect_uri")
    if given is None:
        raise ProtocolError("invalid_request", "The parameter redirect_uri is missing.")
    if not any(matches_redirect_uri(given, each) for each in registered):
        raise ProtocolError("invalid_request", "The redirect_uri is none of the client's.")
    return given


def _read_state(sent: Mapping[str, str]) -> str | None:
    state = sent.get("state")
    if state is not None and len(state) > MAX_STATE_CHARACTERS:
        raise ProtocolError("invalid_request", "The parameter state is too long.")
    return state


def _read_challenge(sent: Mapping[str, str]) -> str:
    if sent.get("code_challenge_method") != "S256":  # left out, it would mean plain
        raise ProtocolError("invalid_request", "The parameter code_challenge_method must be S256.")
    challenge = sent.get("code_challenge", "")
    if _CHALLENGE.fullmatch(challenge) is None:
        raise ProtocolError("invalid_request", "The parameter code_challenge must be the base64url of a SHA-256.")
    return challenge


def _read_thumbprint(sent: Mapping[str, str]) -> str | None:
    thumbprint = sent.get("dpop_jkt")
    if thumbprint is not None and _CHALLENGE.fullmatch(thumbprint) is None:
        raise ProtocolError("invalid_request", "The parameter dpop_jkt must be the base64url of a SHA-256.")
    return thumbprint


def _read_wanted(sent: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    scope = dict.fromkeys(sent.get("scope", "").split(" "))
    scope_ids = tuple(name for name in scope if name in CONFIGURATIONS)  # unknown ones are ignored
    if "authorization_details" not in sent:
        if not scope_ids:
            raise ProtocolError("invalid_scope", "The scope names no credential of this issuer.")
        return scope_ids, ()
    detail_ids = dict.fromkeys(read_requested_ids(sent["authorization_details"]))
    if not detail_ids.keys() <= CONFIGURATIONS.keys():
        raise ProtocolError("invalid_authorization_details", "No such credential configuration.")
    return scope_ids, tuple(detail_ids)


def _strip_loopback_port(uri: str) -> str | None:
    found = _LOOPBACK.fullmatch(uri)
    if found is None or int(found["port"] or 0) > _MAX_PORT:
        return None
    return found["host"] + found["rest"]
