"""JWT VPs: presentations of the W3C data model that their holder signed as a JWT.

Each credential is read with the presentation that it came in, and is verified with it: a presentation proves something
only of the credentials whose subject signed it.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.credentials.credential import (
    LEEWAY,
    MAX_AGE,
    Expected,
    StatusReference,
    UnverifiedIssuer,
    VerifiedCredential,
)
from service.credentials.did import find_holder_key
from service.credentials.jose import (
    InvalidClaimsError,
    InvalidSignatureError,
    MalformedJoseError,
    SignFunction,
    VerificationKey,
    check_times,
    load_key,
    read_numeric_date,
    sign_jws,
    verify_signature,
)
from service.credentials.jwt_vc import (
    V1_TYP,
    UnverifiedJwt,
    UnverifiedJwtVc,
    agree,
    check_type,
    parse_jwt,
    read_jwt_vc,
    verify_jwt_vc,
)
from service.credentials.sd_jwt_errors import (
    AudienceMismatchError,
    HolderBindingInvalidError,
    HolderBindingMissingError,
    HolderBindingStaleError,
    HolderKeyError,
    NonceMismatchError,
    TransactionDataMismatchError,
)
from service.credentials.w3c_document import (
    ENVELOPED_CREDENTIAL,
    PRESENTATION,
    V1_CONTEXT,
    V2_CONTEXT,
    check_envelope,
    read_id,
)
from service.credentials.w3c_errors import PresentationHolderError, W3cDocumentError

VP_JWT = "vp+jwt"
MAX_CREDENTIALS = 20


@dataclass(frozen=True, slots=True)
class UnverifiedJwtVp:
    """A presentation that was read once; nothing in it is to be believed yet.

    Attributes:
        jwt: The JWT.
        typ: What its ``typ`` may be.
        holder: Who says to present; None if it does not say.
    """

    jwt: UnverifiedJwt
    typ: tuple[str, ...]
    holder: str | None


@dataclass(frozen=True, slots=True)
class PresentedJwtVc:
    """A credential with the presentation that it came in."""

    credential: UnverifiedJwtVc
    presentation: UnverifiedJwtVp

    @property
    def format(self) -> str:
        """Format of the credential."""
        return self.credential.format

    def read_issuer(self) -> UnverifiedIssuer:
        """See ``UnverifiedJwtVc``."""
        return self.credential.read_issuer()

    def read_statuses(self) -> tuple[StatusReference, ...]:
        """See ``UnverifiedJwtVc``."""
        return self.credential.read_statuses()


def is_jwt_vp(jwt: UnverifiedJwt) -> bool:
    """Tell whether a JWT is to be read as a presentation."""
    return "vp" in jwt.claims or "vp" in jwt.jws.header.get("typ", "").lower()


def read_jwt_vp(jwt: UnverifiedJwt) -> list[PresentedJwtVc]:
    """Read a presentation and the credentials in it as far as that is possible without a key.

    Returns:
        Its credentials, each with the presentation; at least one.

    Raises:
        JwtVcMalformedError, JwtVcTypeError: Not a presentation of version 1.1 (``vp``) or 2.0 (``vp+jwt``).
        W3cDocumentError: Not one of the data model, no credential in it, or one that is no JWT VC.
        VerificationError: A credential in it cannot be read; see ``read_jwt_vc``.

    Source: VCDM 1.1, section 6.3.1; VC-JOSE-COSE, section 3.1.2; VCDM 2.0, section 4.13.
    """
    if "vp" in jwt.claims:
        check_type(jwt.jws, typ=V1_TYP, cty=None)
        document, context = jwt.claims["vp"], V1_CONTEXT
    else:
        check_type(jwt.jws, typ=(VP_JWT,), cty="vp")
        document, context = jwt.claims, V2_CONTEXT
    if not isinstance(document, dict) or "vc" in jwt.claims:
        raise W3cDocumentError("The presentation is not an object, or a credential too.")
    check_envelope(document, context=context, kind=PRESENTATION)
    if "proof" in document:
        raise W3cDocumentError("The presentation holds a second proof.")
    holder = agree("iss", read_id(jwt.claims, "iss"), read_id(document, "holder", may_be_object=True))
    agree("jti", read_id(jwt.claims, "jti"), read_id(document, "id"))
    presentation = UnverifiedJwtVp(jwt, V1_TYP if context == V1_CONTEXT else (VP_JWT,), holder)
    entries = _list_credentials(document)
    compacts = entries if context == V1_CONTEXT else [open_envelope(each, ENVELOPED_CREDENTIAL) for each in entries]
    return [PresentedJwtVc(_read_inner(each), presentation) for each in compacts]


def open_envelope(document: Any, kind: str) -> str:
    """Return the JWT in an enveloped credential or presentation.

    Args:
        document: Untrusted.
        kind: ``ENVELOPED_CREDENTIAL`` or ``ENVELOPED_PRESENTATION``.

    Raises:
        W3cDocumentError: Not such an envelope, or one of another format.

    Source: VCDM 2.0, sections 4.13.1 and 4.13.2.
    """
    if not isinstance(document, Mapping):
        raise W3cDocumentError("The presentation holds something else than enveloped credentials.")
    check_envelope(document, context=V2_CONTEXT, kind=kind)
    prefix = "data:application/vc+jwt," if kind == ENVELOPED_CREDENTIAL else "data:application/vp+jwt,"
    address = document.get("id")
    if not isinstance(address, str) or not address.startswith(prefix):
        raise W3cDocumentError(f"The envelope's id does not begin with {prefix}")
    return address.removeprefix(prefix)


def present_jwt_vc(compact: str, *, audience: str, nonce: str, issued_at: datetime, sign: SignFunction) -> str:
    """Make the presentation that shows one ``jwt_vc_json``, all of it, to one verifier, once.

    Args:
        compact: The credential as its holder keeps it.
        audience: The verifier's full, prefixed client identifier, or ``origin:<origin>``.
        nonce: From the request.
        issued_at: Now, aware.
        sign: Signs with the key of the credential's subject.

    Raises:
        VerificationError: Not a JWT VC about the holder of a did:key or did:jwk.

    Source: VCDM 1.1, section 6.3.1; OpenID4VP 1.0, appendix B.1.3.1.5.
    """
    subject_id = read_jwt_vc(parse_jwt(compact)).subject_id
    key = None if subject_id is None else find_holder_key(subject_id)
    if key is None:
        raise HolderBindingMissingError("The credential names no holder key that can be found.")
    seconds = int(issued_at.timestamp())
    claims = {
        "iss": subject_id,
        "aud": audience,
        "nonce": nonce,
        "iat": seconds,
        "exp": seconds + int(MAX_AGE.total_seconds()),
        "vp": {"@context": [V1_CONTEXT], "type": [PRESENTATION], "verifiableCredential": [compact]},
    }
    return sign_jws({"alg": key.alg, "typ": "JWT", "kid": key.kid}, claims, sign)


def verify_presented_jwt_vc(
    read: PresentedJwtVc, key: VerificationKey, expected: Expected, *, now: datetime
) -> VerifiedCredential:
    """Verify a credential and that its subject made the presentation for us and for this request.

    1. The credential passes ``verify_jwt_vc`` and names a holder key: its subject's, or ``cnf``.
    2. The presentation names that subject as its holder, and is signed by that key.
    3. ``iat`` (or ``nbf``) lies in [now - max_age, now + leeway], and ``now`` within ``nbf`` and ``exp`` if present.
    4. ``aud`` is the expected audience alone.
    5. ``nonce`` is the expected one.
    6. No transaction data were to be agreed to: this format has no place for them.

    Args:
        read: The credential with its presentation.
        key: The issuer's key.
        expected: What the presentation must be bound to.
        now: Time of the check, aware.

    Raises:
        VerificationError: As ``verify_jwt_vc``, or one of the classes about presentations for steps 1 to 6.

    Source: OpenID4VP 1.0, section 14.1.2 and appendix B.1.3.1.5; VC-JOSE-COSE, section 5.
    """
    credential = verify_jwt_vc(read.credential, key, now=now, expected_audience=expected.audience)  # (1)
    _verify_holder(read.presentation, credential)  # (2)
    claims = read.presentation.jwt.claims
    _check_age(claims, now=now, max_age=expected.max_age)  # (3)
    if claims.get("aud") not in (expected.audience, [expected.audience]):  # (4)
        raise AudienceMismatchError("The presentation was made for another audience.")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):  # (5)
        raise NonceMismatchError("The presentation was made for another request.")
    if expected.transaction_data:  # (6)
        raise TransactionDataMismatchError("Nothing can be agreed to by a presentation of this format.")
    return credential._replace(holder_bound=True)


def _list_credentials(document: Mapping[str, Any]) -> Sequence[Any]:
    entries = document.get("verifiableCredential")
    found = entries if isinstance(entries, list) else [entries]
    if entries is None or not 0 < len(found) <= MAX_CREDENTIALS:
        raise W3cDocumentError(f"The presentation does not hold between 1 and {MAX_CREDENTIALS} credentials.")
    return found


def _read_inner(compact: Any) -> UnverifiedJwtVc:
    if not isinstance(compact, str):
        raise W3cDocumentError("The presentation holds something else than JWT VCs.")
    return read_jwt_vc(parse_jwt(compact))


def _verify_holder(presentation: UnverifiedJwtVp, credential: VerifiedCredential) -> None:
    if credential.holder_jwk is None:
        raise HolderBindingMissingError("The credential names no holder key that can be found.")
    if presentation.holder != credential.subject_id and credential.subject_id is not None:
        raise PresentationHolderError("The presentation's holder is not the credential's subject.")
    jws = presentation.jwt.jws
    key = None if credential.subject_id is None else find_holder_key(credential.subject_id)
    if key is not None and jws.header.get("kid", key.kid) != key.kid:
        raise PresentationHolderError("The presentation names a key that is not the credential's subject's.")
    try:
        verify_signature(jws, load_key(credential.holder_jwk), expected_typ=presentation.typ)
    except MalformedJoseError as error:
        raise HolderKeyError(f"The holder key cannot be used: {error.detail}") from error
    except (InvalidClaimsError, InvalidSignatureError) as error:
        raise HolderBindingInvalidError(f"The presentation is not the holder's: {error.detail}") from error


def _check_age(claims: Mapping[str, Any], *, now: datetime, max_age: timedelta) -> None:
    try:
        made_at = read_numeric_date(claims, "iat" if "iat" in claims else "nbf")
        check_times(claims, now=now, leeway=LEEWAY, require_exp=False)
    except InvalidClaimsError as error:
        raise HolderBindingStaleError(f"The presentation is not current: {error.detail}") from error
    if made_at is None or made_at < (now - max_age).timestamp():
        raise HolderBindingStaleError("The presentation is too old or does not say when it was made.")
