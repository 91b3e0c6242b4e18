"""The one door through which credentials of every format are read and verified."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.credential import Expected, VerifiedCredential
from service.credentials.jose import VerificationKey
from service.credentials.presentation import verify_presentation
from service.credentials.sd_jwt import UnverifiedCredential, read_credential, verify_sd_jwt_vc
from service.errors import VerificationError

UnverifiedDocument = UnverifiedCredential
"""A credential of any format, with the presentation that it came in."""


class UnsupportedFormatError(VerificationError):
    """Not a credential of a format that can be verified."""

    code = "unsupported_format"
    check = "format"


def read_document(document: str | Mapping[str, Any]) -> list[UnverifiedDocument]:
    """Read a credential or a presentation once, as far as that is possible without a key.

    Returns:
        The credential, or those that the presentation holds; at least one.

    Raises:
        VerificationError, MalformedError: It cannot be read; the former says which check that is.
    """
    if isinstance(document, str) and "~" in document:
        return [read_credential(document)]
    raise UnsupportedFormatError("Only SD-JWT VCs (dc+sd-jwt) can be verified.")


def verify_document(
    read: UnverifiedDocument, key: VerificationKey, expected: Expected | None, *, now: datetime
) -> VerifiedCredential:
    """Verify that a credential is authentic and within its times, and the presentation that it came in.

    Args:
        read: One of ``read_document``.
        key: The key that policy allows for its issuer.
        expected: What the presentation must be bound to; None for a bare credential.
        now: Time of the check, aware.

    Raises:
        VerificationError: Its ``check`` names the step that did not pass.
    """
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
