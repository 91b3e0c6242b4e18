"""Status lists that are credentials of the W3C data model: JWT VCs, and linked data with a proof of its own."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from service.credentials.bitstring_status_list import (
    decode_bitstring,
    split_reference,
)
from service.credentials.formats import read_document
from service.credentials.instants import write_instant
from service.credentials.jose import VerificationKey, parse_json
from service.credentials.jwt_vc import MAX_BYTES, UnverifiedJwtVc, verify_jwt_vc
from service.credentials.ldp_vc import UnverifiedLdpVc, verify_ldp_vc
from service.credentials.rdf import Contexts
from service.credentials.status_list import StatusList
from service.credentials.w3c_document import CREDENTIAL, V2_CONTEXT, read_subject, read_types
from service.errors import VerificationError

MEDIA_TYPE = "application/vc+jwt"
LINKED_MEDIA_TYPE = "application/vc"
MEDIA_TYPES = "application/vc+jwt, application/vc, application/jwt, application/json;q=0.9, */*;q=0.1"
_SUBJECTS = {
    "BitstringStatusListCredential": ("BitstringStatusList", True),
    "StatusList2021Credential": ("StatusList2021", False),
}


class StatusListCredentialError(VerificationError):
    """Not a credential that holds the status list which was asked for."""

    code = "status_list_credential_invalid"
    check = "status"


def read_status_list_credential(body: bytes) -> UnverifiedJwtVc | UnverifiedLdpVc:
    """Read a status list as far as that is possible without a key.

    Raises:
        VerificationError, MalformedError: It cannot be read, or is no credential by itself.
    """
    text = body.decode("utf-8", "replace").strip()
    read = read_document(parse_json(text, max_bytes=MAX_BYTES) if text.startswith("{") else text)
    first = read[0]
    is_alone = not isinstance(first, UnverifiedLdpVc) or first.presentation is None
    if len(read) != 1 or not is_alone or not isinstance(first, UnverifiedJwtVc | UnverifiedLdpVc):
        raise StatusListCredentialError("The status list is of no format that can be verified.")
    return first


def verify_status_list_credential(
    read: UnverifiedJwtVc | UnverifiedLdpVc,
    key: VerificationKey,
    contexts: Contexts,
    *,
    expected_reference: str,
    now: datetime,
) -> StatusList:
    """Verify a status list.

    1. It is authentic and within its times, and says when it was issued; it need not say when it ends.
    2. It is a status list, has no status itself, and its ``id`` is where it was found.
    3. It serves the purpose that the credential names, in entries of that size if it says of which.

    Pure: whether ``key`` may speak for the credential's issuer, and whether a newer list was seen, is the caller's.

    Args:
        read: The list.
        key: Key of its issuer.
        contexts: The contexts that it may name, if it is linked data.
        expected_reference: As ``read_status_entries`` names a list and a purpose.
        now: Time of the check, aware.

    Returns:
        The list in the shape of a Token Status List; its ``uri`` is ``expected_reference``.

    Raises:
        VerificationError: (1), (2), (3)
        MalformedJoseError: ``encodedList`` is refused by ``decode_bitstring``.

    Source: Bitstring Status List 1.0, sections 2.2 and 3.2; StatusList2021, sections 4.2 and 5.2.
    """
    if isinstance(read, UnverifiedJwtVc):  # (1)
        credential = verify_jwt_vc(read, key, now=now, require_exp=False)
    else:
        credential = verify_ldp_vc(read, key, contexts, now=now, require_end=False)
    issued_at = credential.issued_at or credential.not_before
    if issued_at is None:
        raise StatusListCredentialError("The status list does not say when it was issued.")
    name = split_reference(expected_reference)
    if credential.statuses or read.document.get("id") != name.address:  # (2)
        raise StatusListCredentialError("The status list has a status itself, or is another list.")
    subject, is_multibase = _read_list(read.document)
    if name.purpose is None or name.purpose not in _as_list(subject.get("statusPurpose")):  # (3)
        raise StatusListCredentialError("The status list is of another purpose.")
    size = subject.get("statusSize", name.size)
    if type(size) is not int or size != name.size:
        raise StatusListCredentialError("The status list has entries of another size.")
    packed = decode_bitstring(subject.get("encodedList"), name.purpose, multibase=is_multibase, size=size)
    expires_at, ttl = credential.expires_at, _read_ttl(subject)
    return StatusList(expected_reference, name.packed_bits, packed, issued_at, expires_at, ttl)


def build_status_list_credential(
    encoded_list: str,
    *,
    address: str,
    purpose: str,
    issuer: str,
    issued_at: datetime,
    expires_at: datetime,
    ttl: timedelta,
) -> dict[str, Any]:
    """Build the claims of a ``vc+jwt`` that publishes a status list for one purpose.

    Args:
        encoded_list: What ``encode_bitstring`` returns.
        address: Where it is served; what credentials name in ``statusListCredential``.
        purpose: One of ``PURPOSES``.
        issuer: The issuer's DID, which its credentials of the W3C data model name.
        issued_at: Aware; written in whole seconds.
        expires_at: Aware; written in whole seconds.
        ttl: How long a verifier may go without asking again.

    Source: Bitstring Status List 1.0, section 2.2; VC-JOSE-COSE, section 3.1.
    """
    return {
        "@context": [V2_CONTEXT],
        "id": address,
        "type": [CREDENTIAL, "BitstringStatusListCredential"],
        "issuer": issuer,
        "iat": int(issued_at.timestamp()),
        "validFrom": write_instant(issued_at),
        "validUntil": write_instant(expires_at),
        "credentialSubject": {
            "id": f"{address}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": encoded_list,
            "ttl": ttl // timedelta(milliseconds=1),
        },
    }


def build_linked_status_list(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same list, without what belongs to a JWT, for a proof of its own."""
    return {name: value for name, value in claims.items() if name != "iat"}


def _read_list(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    subject = read_subject(document)
    kinds = [_SUBJECTS[each] for each in read_types(document) if each in _SUBJECTS]
    if len(kinds) != 1 or subject.get("type") != kinds[0][0]:
        raise StatusListCredentialError("The credential holds no status list.")
    return subject, kinds[0][1]


def _read_ttl(subject: Mapping[str, Any]) -> timedelta | None:
    if "ttl" not in subject:
        return None
    ttl = subject["ttl"]
    if type(ttl) is not int or not 0 < ttl < 2**53:
        raise StatusListCredentialError("The status list's ttl is no positive number of milliseconds.")
    return timedelta(milliseconds=ttl)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
