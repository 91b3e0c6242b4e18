"""SD-JWT VC: issue, read, verify, and keep only some disclosures. The holder's proof is in ``presentation``."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from service.credentials.claims_path import ClaimsPath, touches
from service.credentials.credential import LEEWAY, StatusReference, UnverifiedIssuer, VerifiedCredential
from service.credentials.disclosures import conceal_claims, reveal_claims
from service.credentials.jose import (
    InvalidClaimsError,
    MalformedJoseError,
    SignFunction,
    UnverifiedJws,
    VerificationKey,
    parse_json,
    parse_jws,
    sign_jws,
    verify_signature,
)
from service.credentials.jwt_claims import check_audience, read_cnf_jwk, read_period, read_status_claim, require_text
from service.credentials.sd_jwt_errors import (
    SdJwtMalformedError,
    SdJwtTypeError,
)

SD_JWT_VC_TYP = "dc+sd-jwt"
# Drafts before November 2024 said vc+sd-jwt; credentials issued then are still around.
INBOUND_TYP = frozenset({SD_JWT_VC_TYP, "vc+sd-jwt"})
MAX_CHARACTERS = 262_144
MAX_DISCLOSURES = 512


class SdJwt(NamedTuple):
    """The parts of a compact SD-JWT, with or without key binding; nothing is verified.

    Attributes:
        issuer_jwt: The issuer-signed JWT.
        disclosures: Encoded disclosures in the order they were sent.
        kb_jwt: The key binding JWT, or ``None``.
    """

    issuer_jwt: str
    disclosures: tuple[str, ...]
    kb_jwt: str | None

    def without_key_binding(self) -> str:
        """Return the text that ``sd_hash`` is taken over; ends with ``~``."""
        return "~".join((self.issuer_jwt, *self.disclosures, ""))


class UnverifiedCredential(NamedTuple):
    """A credential, presented or bare, that was read once; nothing in it is to be believed yet.

    Attributes:
        sd_jwt: Its parts.
        jws: The issuer-signed JWT.
        payload: What that one says, with digests in place of what is disclosed.
    """

    sd_jwt: SdJwt
    jws: UnverifiedJws
    payload: dict[str, Any]

    @property
    def format(self) -> str:
        """Credential format identifier."""
        return SD_JWT_VC_TYP

    def read_issuer(self) -> UnverifiedIssuer:
        """Return what names the issuer's key.

        Raises:
            CredentialClaimsError: ``iss`` or ``vct`` is missing or not a text.
        """
        header = self.jws.header
        issuer, vct = require_text(self.payload, "iss"), require_text(self.payload, "vct")
        return UnverifiedIssuer(issuer, header.get("kid"), vct, header.get("x5c"))

    def read_statuses(self) -> tuple[StatusReference, ...]:
        """Return where the status will be; it stands in plain, so disclosures change nothing.

        Raises:
            StatusReferenceError: Not a reference to a status list.
        """
        return read_status_claim(self.payload)


def issue_sd_jwt(
    claims: Mapping[str, Any],
    *,
    disclosable: Collection[str],
    header: Mapping[str, Any],
    sign: SignFunction,
    new_salt: Callable[[], str],
) -> str:
    """Issue an SD-JWT VC whose claims named in ``disclosable`` are hidden until disclosed.

    Args:
        claims: Everything to issue, in plain: ``iss``, ``vct``, ``cnf``, times, status and the statements.
        disclosable: Top-level names to hide; those that ``claims`` lacks are skipped.
        header: ``alg`` and ``kid`` of the issuer's key, perhaps ``x5c``; ``typ`` is added.
        sign: Signs with that key.
        new_salt: Returns a fresh text of at least 128 random bits at every call.

    Returns:
        Compact SD-JWT with all disclosures; ends with ``~``.

    Raises:
        ValueError: A name that may not be hidden, a reserved claim name, or a repeated salt.

    Source: RFC 9901 section 4; SD-JWT VC section 2.2.
    """
    payload, disclosures = conceal_claims(claims, disclosable=disclosable, new_salt=new_salt)
    jwt = sign_jws({**header, "typ": SD_JWT_VC_TYP}, payload, sign)
    return SdJwt(jwt, tuple(disclosures), None).without_key_binding()


def parse_sd_jwt(compact: str) -> SdJwt:
    """Split a compact SD-JWT, with or without key binding.

    Raises:
        SdJwtMalformedError: No ``~``, an empty part, too long, or too many disclosures.

    Source: RFC 9901 section 4.
    """
    issuer_jwt, tilde, rest = compact.partition("~")
    shown, last_tilde, kb_jwt = rest.rpartition("~")
    disclosures = shown.split("~", MAX_DISCLOSURES) if last_tilde else []
    if len(compact) > MAX_CHARACTERS or len(disclosures) >= MAX_DISCLOSURES:
        raise SdJwtMalformedError("The SD-JWT is too long.")
    if not tilde:
        raise SdJwtMalformedError("The SD-JWT has no '~'.")
    if not issuer_jwt or "" in disclosures:
        raise SdJwtMalformedError("A part of the SD-JWT is empty.")
    return SdJwt(issuer_jwt, tuple(disclosures), kb_jwt or None)


def read_issuer(compact: str) -> UnverifiedIssuer:
    """Return what is needed to look the issuer's key up.

    Raises:
        SdJwtMalformedError: Not an SD-JWT.
        CredentialClaimsError: ``iss`` or ``vct`` is missing or not a text.
    """
    return read_credential(compact).read_issuer()


def read_credential(compact: str | SdJwt) -> UnverifiedCredential:
    """Read a credential, with or without key binding, as far as that is possible without a key.

    Args:
        compact: The text, or what ``parse_sd_jwt`` made of it.

    Raises:
        SdJwtMalformedError: Not an SD-JWT.
    """
    sd_jwt = parse_sd_jwt(compact) if isinstance(compact, str) else compact
    jws = _parse_issuer_jwt(sd_jwt)
    return UnverifiedCredential(sd_jwt, jws, _parse_payload(jws))


def read_holder_jwk(compact: str) -> Mapping[str, Any] | None:
    """Return ``cnf.jwk`` for the holder to pick its key, ``None`` without ``cnf``; nothing is verified.

    Raises:
        SdJwtMalformedError: Not an SD-JWT.
        HolderKeyError: ``cnf`` has no ``jwk``, or a key without a thumbprint.
    """
    return read_cnf_jwk(_parse_payload(_parse_issuer_jwt(parse_sd_jwt(compact))))


def disclose(compact: str, names: Collection[str | ClaimsPath]) -> str:
    """Keep only the disclosures that show the named claims, and drop a key binding JWT.

    Args:
        compact: SD-JWT as its holder keeps it.
        names: Top-level claim names, or paths to parts of claims; what the credential lacks is skipped.

    Raises:
        VerificationError: ``compact`` is not a well-formed SD-JWT; its signature is not checked.

    Source: RFC 9901 section 7.2.
    """
    sd_jwt = parse_sd_jwt(compact)
    revealed = reveal_claims(_parse_payload(_parse_issuer_jwt(sd_jwt)), sd_jwt.disclosures)
    paths: list[ClaimsPath] = [(name,) if isinstance(name, str) else name for name in names]
    kept = [item for item in sd_jwt.disclosures if any(touches(path, revealed.locations[item]) for path in paths)]
    return SdJwt(sd_jwt.issuer_jwt, tuple(kept), None).without_key_binding()


def verify_sd_jwt_vc(
    compact: str | UnverifiedCredential,
    key: VerificationKey,
    *,
    now: datetime,
    leeway: timedelta = LEEWAY,
    require_exp: bool = True,
    expected_audience: str | None = None,
    holder_bound: bool = False,
) -> VerifiedCredential:
    """Verify that an SD-JWT VC is authentic and within its times.

    1. It splits into an issuer-signed JWT and disclosures; a key binding JWT may follow and is not looked at.
    2. ``typ`` is ``dc+sd-jwt`` (or the older ``vc+sd-jwt``) and the signature is ``key``'s.
    3. The disclosures belong to it and reveal nothing that must stay in plain (see ``reveal_claims``).
    4. ``iss`` and ``vct`` are texts.
    5. ``now`` lies within ``nbf``, ``iat`` and ``exp``, each widened by ``leeway``.
    6. ``aud``, if present, names us.
    7. ``cnf`` and ``status``, if present, are ones that we can check against.

    Args:
        compact: SD-JWT, with or without key binding, or what ``read_credential`` made of it.
        key: The key that policy allows for ``iss``; find it with ``read_issuer``.
        now: Time of the check, aware.
        leeway: How far clocks may differ.
        require_exp: Whether a credential without end is refused.
        expected_audience: Who we are, for the rare credential that names its audience.
        holder_bound: What the result says of that; ``verify_presentation``, which checks it next, sets it.

    Raises:
        VerificationError: ``InvalidSignatureError`` or one of ``sd_jwt_errors``.

    Source: RFC 9901 section 7.1; SD-JWT VC sections 2.2 and 2.4.
    """
    read = read_credential(compact) if isinstance(compact, str) else compact  # (1)
    jws, sd_jwt = read.jws, read.sd_jwt
    _verify_issuer_jwt(jws, key)  # (2)
    revealed = reveal_claims(read.payload, sd_jwt.disclosures)  # (3)
    claims = revealed.claims
    period = read_period(claims)
    period.check(now=now, leeway=leeway, require_exp=require_exp)  # (5)
    check_audience(claims, expected_audience)  # (6)
    return VerifiedCredential(
        format=SD_JWT_VC_TYP,
        issuer=require_text(claims, "iss"),  # (4)
        vct=require_text(claims, "vct"),
        claims=claims,
        holder_jwk=read_cnf_jwk(claims),  # (7)
        statuses=read_status_claim(claims),
        issued_at=period.issued_at,
        not_before=period.not_before,
        expires_at=period.expires_at,
        kid=jws.header.get("kid"),
        disclosed=frozenset([str(location[0]) for location in revealed.locations.values()]),
        digest=f"sha256:{sha256(sd_jwt.issuer_jwt.encode('ascii')).hexdigest()}",
        x5c=jws.header.get("x5c"),
        holder_bound=holder_bound,
    )


def _parse_issuer_jwt(sd_jwt: SdJwt) -> UnverifiedJws:
    try:
        return parse_jws(sd_jwt.issuer_jwt)
    except MalformedJoseError as error:
        raise SdJwtMalformedError(f"The issuer-signed JWT cannot be read: {error.detail}") from error


def _parse_payload(jws: UnverifiedJws) -> dict[str, Any]:
    try:
        payload = parse_json(jws.payload)
    except MalformedJoseError as error:
        raise SdJwtMalformedError(f"The payload cannot be read: {error.detail}") from error
    if not isinstance(payload, dict):
        raise SdJwtMalformedError("The payload is not a JSON object.")
    return payload


def _verify_issuer_jwt(jws: UnverifiedJws, key: VerificationKey) -> None:
    try:
        verify_signature(jws, key, expected_typ=INBOUND_TYP)
    except InvalidClaimsError as error:
        raise SdJwtTypeError("The credential's typ is neither dc+sd-jwt nor vc+sd-jwt.") from error
