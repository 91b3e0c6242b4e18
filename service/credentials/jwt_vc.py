"""JWT VCs: credentials of the W3C data model that their issuer signed as a JWT.

``jwt_vc_json`` is that of version 1.1: the credential stands in the claim ``vc``, and what the JWT's own claims say of
it may be left out there or be repeated. ``vc+jwt`` is that of version 2.0 (VC-JOSE-COSE): the claims are the
credential. Whoever reads the one and whoever reads the other must never see two different credentials, so every pair
of names for one thing has to agree before anything else is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from service.credentials.bitstring_status_list import read_status_entries
from service.credentials.credential import LEEWAY, StatusReference, UnverifiedIssuer, VerifiedCredential
from service.credentials.did import find_holder_key
from service.credentials.instants import write_instant
from service.credentials.jose import (
    MalformedJoseError,
    UnverifiedJws,
    VerificationKey,
    is_media_type,
    jwk_thumbprint,
    parse_json,
    parse_jws,
    verify_signature,
)
from service.credentials.jwt_claims import Period, check_audience, read_cnf_jwk, read_period, read_status_claim
from service.credentials.sd_jwt_errors import HolderKeyError
from service.credentials.w3c_document import (
    CREDENTIAL,
    V1_CONTEXT,
    V2_CONTEXT,
    check_envelope,
    name_type,
    read_id,
    read_instant,
    read_subject,
    read_subject_claims,
)
from service.credentials.w3c_errors import JwtVcConflictError, JwtVcMalformedError, JwtVcTypeError, W3cDocumentError

JWT_VC_JSON = "jwt_vc_json"
VC_JWT = "vc+jwt"
V1_TYP = ("JWT", "")
MAX_BYTES = 262_144

T = TypeVar("T")


class UnverifiedJwt(NamedTuple):
    """A JWT whose claims could be read; nothing in it is to be believed yet."""

    compact: str
    jws: UnverifiedJws
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UnverifiedJwtVc:
    """A credential that was read once and agrees with itself; nothing in it is to be believed yet.

    Attributes:
        format: ``jwt_vc_json`` or ``vc+jwt``.
        jwt: What it came as.
        document: The credential, completed by what only the JWT's claims say.
        issuer: Whom it names as its issuer.
        subject_id: Whom it is about; None if it does not say.
        period: When it is valid.
    """

    format: str
    jwt: UnverifiedJwt
    document: Mapping[str, Any]
    issuer: str
    subject_id: str | None
    period: Period

    def read_issuer(self) -> UnverifiedIssuer:
        """Return what names the issuer's key; raises W3cDocumentError where its type is ambiguous."""
        header = self.jwt.jws.header
        return UnverifiedIssuer(self.issuer, header.get("kid"), name_type(self.document), header.get("x5c"))

    def read_statuses(self) -> tuple[StatusReference, ...]:
        """Return where the status will be, by the JWT's ``status`` and by the credential's ``credentialStatus``.

        Raises:
            StatusReferenceError: Kept by a mechanism that we do not know.
        """
        return *read_status_claim(self.jwt.claims), *read_status_entries(self.document)


def parse_jwt(compact: str) -> UnverifiedJwt:
    """Split a JWT and read its claims.

    Raises:
        JwtVcMalformedError: It is none.
    """
    try:
        jws = parse_jws(compact, max_bytes=MAX_BYTES)
        claims = parse_json(jws.payload, max_bytes=MAX_BYTES)
    except MalformedJoseError as error:
        raise JwtVcMalformedError(f"The JWT cannot be read: {error.detail}") from error
    if not isinstance(claims, dict):
        raise JwtVcMalformedError("The JWT's payload is not a JSON object.")
    if {"vc", "vp"} <= claims.keys():
        raise JwtVcMalformedError("The JWT claims to be a credential and a presentation.")
    return UnverifiedJwt(compact, jws, claims)


def read_jwt_vc(jwt: UnverifiedJwt) -> UnverifiedJwtVc:
    """Read a credential as far as that is possible without a key.

    1. ``vc`` makes it ``jwt_vc_json``, whose ``typ`` is ``JWT`` or missing; else ``typ`` is ``vc+jwt``.
    2. The credential is of that version of the data model, about one subject, with no other proof in it.
    3. ``iss`` and ``issuer``, ``sub`` and the subject's ``id``, ``jti`` and ``id`` agree where both are there; in
       ``jwt_vc_json`` also ``nbf`` and ``issuanceDate``, ``exp`` and ``expirationDate``.
    4. Its issuer and, in ``jwt_vc_json``, the time of its issuance are named at all.

    Raises:
        JwtVcMalformedError, JwtVcTypeError: (1)
        W3cDocumentError: (2), (4)
        JwtVcConflictError: (3)
        CredentialClaimsError: A registered claim is of a wrong form.

    Source: VCDM 1.1, section 6.3.1; VC-JOSE-COSE, sections 3.1, 3.3 and 4.1.
    """
    if "vc" in jwt.claims:
        check_type(jwt.jws, typ=V1_TYP, cty=None)
        return _read_v1(jwt, jwt.claims["vc"])
    check_type(jwt.jws, typ=(VC_JWT,), cty="vc")
    return _read_v2(jwt)


def verify_jwt_vc(
    read: UnverifiedJwtVc,
    key: VerificationKey,
    *,
    now: datetime,
    expected_audience: str | None = None,
    require_exp: bool = True,
) -> VerifiedCredential:
    """Verify that a credential is authentic and within its times.

    Args:
        read: The credential.
        key: The key that policy allows for its issuer.
        now: Time of the check, aware.
        expected_audience: Who we are, for the rare credential that names its audience.
        require_exp: Whether it has to say when it ends.

    Raises:
        InvalidSignatureError: Not that key's.
        VerificationError: One of ``sd_jwt_errors``: outside its times, for another audience, or bound to what is no
            usable key.

    Source: VC-JOSE-COSE, section 5; VCDM 1.1, section 6.3.1.
    """
    jws = read.jwt.jws
    verify_signature(jws, key, expected_typ=V1_TYP if read.format == JWT_VC_JSON else (VC_JWT,))
    read.period.check(now=now, leeway=LEEWAY, require_exp=require_exp)
    check_audience(read.jwt.claims, expected_audience)
    return VerifiedCredential(
        format=read.format,
        issuer=read.issuer,
        vct=name_type(read.document),
        claims=read_subject_claims(read_subject(read.document)),
        holder_jwk=_find_holder_jwk(read),
        statuses=read.read_statuses(),
        issued_at=read.period.issued_at,
        not_before=read.period.not_before,
        expires_at=read.period.expires_at,
        kid=jws.header.get("kid"),
        disclosed=frozenset(),
        digest=f"sha256:{sha256(read.jwt.compact.encode('ascii')).hexdigest()}",
        x5c=jws.header.get("x5c"),
        subject_id=read.subject_id,
        document=read.document,
    )


def check_type(jws: UnverifiedJws, *, typ: tuple[str, ...], cty: str | None) -> None:
    """Check the header's ``typ``, and ``cty`` where it is there; raises JwtVcTypeError."""
    if not is_media_type(jws.header.get("typ", ""), typ):
        raise JwtVcTypeError(f"The JWT's typ is not {' or '.join(filter(None, typ))}.")
    named = jws.header.get("cty", cty)
    if cty is not None and (not isinstance(named, str) or not is_media_type(named, (cty,))):
        raise JwtVcTypeError(f"The JWT's cty is not {cty}.")


def agree(name: str, outer: T | None, inner: T | None) -> T | None:
    """Return what a JWT and the document in it say of one thing, either of which may be silent.

    Raises:
        JwtVcConflictError: They differ.
    """
    if outer is not None and inner is not None and outer != inner:
        raise JwtVcConflictError(f"The JWT's {name} is not what the document in it says.")
    return inner if outer is None else outer


def _read_v1(jwt: UnverifiedJwt, document: Any) -> UnverifiedJwtVc:
    if not isinstance(document, dict):
        raise W3cDocumentError("vc is not an object.")
    check_envelope(document, context=V1_CONTEXT, kind=CREDENTIAL)
    outer = read_period(jwt.claims)
    issued_at = agree("nbf", outer.not_before, _whole_seconds(read_instant(document, "issuanceDate")))
    expires_at = agree("exp", outer.expires_at, _whole_seconds(read_instant(document, "expirationDate")))
    if issued_at is None:
        raise W3cDocumentError("The credential has neither nbf nor issuanceDate.")
    ends = {} if expires_at is None else {"expirationDate": write_instant(expires_at)}
    completed = {"issuanceDate": write_instant(issued_at), **ends, **document}
    period = Period(issued_at, outer.issued_at or issued_at, expires_at)
    return _read_parties(JWT_VC_JSON, jwt, completed, period)


def _read_v2(jwt: UnverifiedJwt) -> UnverifiedJwtVc:
    document = jwt.claims
    check_envelope(document, context=V2_CONTEXT, kind=CREDENTIAL)
    outer = read_period(document)
    # The JWT's times are those of the signature, so they need not be the credential's: the narrower ones count.
    starts = [each for each in (outer.not_before, read_instant(document, "validFrom")) if each is not None]
    ends = [each for each in (outer.expires_at, read_instant(document, "validUntil")) if each is not None]
    not_before = max(starts, default=None)
    period = Period(not_before, outer.issued_at or not_before, min(ends, default=None))
    return _read_parties(VC_JWT, jwt, document, period)


def _read_parties(
    credential_format: str, jwt: UnverifiedJwt, document: Mapping[str, Any], period: Period
) -> UnverifiedJwtVc:
    if "proof" in document:
        raise W3cDocumentError("The credential holds a second proof.")
    subject = read_subject(document)
    issuer = agree("iss", read_id(jwt.claims, "iss"), read_id(document, "issuer", may_be_object=True))
    subject_id = agree("sub", read_id(jwt.claims, "sub"), read_id(subject, "id"))
    document_id = agree("jti", read_id(jwt.claims, "jti"), read_id(document, "id"))
    if issuer is None:
        raise W3cDocumentError("The credential names no issuer.")
    completed = {"issuer": issuer, **document, "credentialSubject": _with_id(subject, subject_id)}
    return UnverifiedJwtVc(credential_format, jwt, _with_id(completed, document_id), issuer, subject_id, period)


def _with_id(document: Mapping[str, Any], identifier: str | None) -> dict[str, Any]:
    return dict(document) if identifier is None else {"id": identifier, **document}


def _whole_seconds(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.replace(microsecond=0)


def _find_holder_jwk(read: UnverifiedJwtVc) -> Mapping[str, Any] | None:
    confirmed = read_cnf_jwk(read.jwt.claims)
    subject_key = None if read.subject_id is None else find_holder_key(read.subject_id)
    if confirmed is None or subject_key is None:
        return confirmed if subject_key is None else subject_key.jwk
    if jwk_thumbprint(confirmed) != jwk_thumbprint(subject_key.jwk):
        raise HolderKeyError("The credential's cnf is another key than its subject's.")
    return confirmed
