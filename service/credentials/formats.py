"""The one door through which credentials of every format are read and verified."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from service.credentials.credential import Expected, VerifiedCredential
from service.credentials.jose import VerificationKey
from service.credentials.jwt_vc import UnverifiedJwtVc, parse_jwt, read_jwt_vc, verify_jwt_vc
from service.credentials.jwt_vp import (
    PresentedJwtVc,
    is_jwt_vp,
    open_envelope,
    read_jwt_vp,
    verify_presented_jwt_vc,
)
from service.credentials.ldp_vc import EnvelopedVc, UnverifiedLdpVc, read_ldp
from service.credentials.presentation import verify_presentation
from service.credentials.sd_jwt import UnverifiedCredential, read_credential, verify_sd_jwt_vc
from service.credentials.sd_jwt_errors import HolderBindingMissingError
from service.credentials.w3c_document import ENVELOPED_CREDENTIAL, ENVELOPED_PRESENTATION
from service.credentials.w3c_errors import W3cDocumentError
from service.errors import VerificationError

UnverifiedToken = UnverifiedCredential | UnverifiedJwtVc | PresentedJwtVc
"""A credential of a format that is text, with the presentation that it came in."""

UnverifiedDocument = UnverifiedToken | UnverifiedLdpVc | EnvelopedVc
"""A credential of any format, with the presentation that it came in; linked data is for ``verify_ldp_vc``
and ``verify_ldp_vp``."""


class UnsupportedFormatError(VerificationError):
    """Not a credential or presentation of a format that can be verified."""

    code = "unsupported_format"
    check = "format"


def read_document(document: str | Mapping[str, Any]) -> Sequence[UnverifiedDocument]:
    """Read a credential or a presentation once, as far as that is possible without a key.

    Returns:
        The credential, or those that the presentation holds; at least one.

    Raises:
        VerificationError, MalformedError: It cannot be read; the former says which check that is.
    """
    if isinstance(document, str):
        if "~" in document:
            return [read_credential(document)]
        if document.count(".") == 2:
            return _read_jwt(document)
    elif document.get("type") == ENVELOPED_CREDENTIAL:
        return [read_jwt_vc(parse_jwt(open_envelope(document, ENVELOPED_CREDENTIAL)))]
    elif document.get("type") == ENVELOPED_PRESENTATION:
        return read_jwt_vp(parse_jwt(open_envelope(document, ENVELOPED_PRESENTATION)))
    elif "proof" in document:
        return read_ldp(document)
    raise UnsupportedFormatError("Neither SD-JWT VC (dc+sd-jwt), JWT VC (jwt_vc_json, vc+jwt) nor ldp_vc.")


def verify_document(
    read: UnverifiedToken, key: VerificationKey, expected: Expected | None, *, now: datetime
) -> VerifiedCredential:
    """Verify that a credential is authentic and within its times, and the presentation that it came in.

    Args:
        read: One of ``read_document`` that is no linked data.
        key: The key that policy allows for its issuer.
        expected: What the presentation must be bound to; None for a bare credential.
        now: Time of the check, aware.

    Raises:
        VerificationError: Its ``check`` names the step that did not pass.
    """
    if isinstance(read, UnverifiedCredential):
        return _verify_sd_jwt(read, key, expected, now)
    if isinstance(read, PresentedJwtVc):
        if expected is None:
            raise W3cDocumentError("A presentation is verified by what it must be bound to, not as a credential.")
        return verify_presented_jwt_vc(read, key, expected, now=now)
    credential = verify_jwt_vc(read, key, now=now, expected_audience=None if expected is None else expected.audience)
    if expected is not None:
        raise HolderBindingMissingError("The credential came without a presentation of its holder's.")
    return credential


def _read_jwt(compact: str) -> Sequence[UnverifiedDocument]:
    jwt = parse_jwt(compact)
    return read_jwt_vp(jwt) if is_jwt_vp(jwt) else [read_jwt_vc(jwt)]


def _verify_sd_jwt(
    read: UnverifiedCredential, key: VerificationKey, expected: Expected | None, now: datetime
) -> VerifiedCredential:
    if expected is None:
        return verify_sd_jwt_vc(read, key, now=now)
    return verify_presentation(
        read,
        key,
        expected_audience=expected.audience,
        expected_nonce=expected.nonce,
        expected_transaction_data=expected.transaction_data,
        expected_hash_algorithms=expected.hash_algorithms,
        max_age=expected.max_age,
        now=now,
    )
