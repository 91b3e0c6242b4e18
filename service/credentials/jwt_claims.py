"""Claims that mean the same in a credential of every format that is a JWT."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from service.credentials.credential import StatusReference
from service.credentials.jose import InvalidClaimsError, MalformedJoseError, jwk_thumbprint, read_numeric_date
from service.credentials.jwk import check_public
from service.credentials.sd_jwt_errors import (
    AudienceMismatchError,
    CredentialClaimsError,
    CredentialExpiredError,
    CredentialExpiryMissingError,
    CredentialNotYetValidError,
    HolderKeyError,
    StatusReferenceError,
)

# Longer than any address that we would fetch a status list from.
MAX_URI_CHARACTERS = 2_048


class Period(NamedTuple):
    """Times of a credential, aware UTC; each None where it is not stated."""

    not_before: datetime | None
    issued_at: datetime | None
    expires_at: datetime | None

    def check(self, *, now: datetime, leeway: timedelta, require_exp: bool) -> None:
        """Check that ``now`` lies within, each end widened by ``leeway``.

        Raises:
            CredentialExpiryMissingError, CredentialExpiredError, CredentialNotYetValidError: See there.
        """
        if self.expires_at is None and require_exp:
            raise CredentialExpiryMissingError("The credential has no exp.")
        if self.expires_at is not None and now >= self.expires_at + leeway:
            raise CredentialExpiredError("The credential has expired.")
        for start in (self.not_before, self.issued_at):
            if start is not None and start > now + leeway:
                raise CredentialNotYetValidError("The credential is not valid yet.")


def read_period(claims: Mapping[str, Any]) -> Period:
    """Return ``nbf``, ``iat`` and ``exp``.

    Raises:
        CredentialClaimsError: One is not a time.

    Source: RFC 7519, sections 4.1.4 to 4.1.6.
    """
    return Period(_read_instant(claims, "nbf"), _read_instant(claims, "iat"), _read_instant(claims, "exp"))


def require_text(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that every credential has; raises CredentialClaimsError."""
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise CredentialClaimsError(f"The credential has no {name}.")
    return value


def check_audience(claims: Mapping[str, Any], expected: str | None) -> None:
    """Check that a credential that names its audience names us; raises AudienceMismatchError."""
    if "aud" not in claims:
        return
    audience = claims["aud"]
    if expected is None or expected not in (audience if isinstance(audience, list) else [audience]):
        raise AudienceMismatchError("The credential was issued for another audience.")


def read_cnf_jwk(claims: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return ``cnf.jwk``, None without ``cnf``.

    Raises:
        HolderKeyError: ``cnf`` has no ``jwk``, or a key without a thumbprint, or one whose private half it shows.

    Source: RFC 7800, section 3.2.
    """
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    jwk = confirmation.get("jwk") if isinstance(confirmation, dict) else None
    if not isinstance(jwk, dict):
        raise HolderKeyError("The credential's cnf has no jwk.")
    try:
        check_public(jwk)
        jwk_thumbprint(jwk)
    except MalformedJoseError as error:
        raise HolderKeyError(f"The credential's holder key cannot be read: {error.detail}") from error
    return jwk


def read_status_claim(claims: Mapping[str, Any]) -> tuple[StatusReference, ...]:
    """Return where the status is published, nothing without ``status``.

    Raises:
        StatusReferenceError: Not a reference to a status list.

    Source: Token Status List draft, section 6.1.
    """
    # A mechanism that we do not know would mean a status that we never see, so it is refused rather than skipped.
    if "status" not in claims:
        return ()
    match claims["status"]:
        case {"status_list": {"idx": int() as index, "uri": str() as uri}}:
            if index >= 0 and not isinstance(index, bool) and 0 < len(uri) <= MAX_URI_CHARACTERS:
                return (StatusReference(uri, index),)
    raise StatusReferenceError("The credential's status is not a status list reference.")


def _read_instant(claims: Mapping[str, Any], name: str) -> datetime | None:
    try:
        seconds = read_numeric_date(claims, name)
    except InvalidClaimsError as error:
        raise CredentialClaimsError(f"The credential's {name} is not a time.") from error
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
