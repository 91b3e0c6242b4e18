"""Members that the W3C data model gives to every credential and presentation, read strictly and without JSON-LD."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.credential_types import is_vct, type_of_w3c
from service.credentials.instants import parse_instant
from service.credentials.w3c_errors import W3cDocumentError

V1_CONTEXT = "https://www.w3.org/2018/credentials/v1"
V2_CONTEXT = "https://www.w3.org/ns/credentials/v2"
CREDENTIAL = "VerifiableCredential"
PRESENTATION = "VerifiablePresentation"
ENVELOPED_CREDENTIAL = "EnvelopedVerifiableCredential"
ENVELOPED_PRESENTATION = "EnvelopedVerifiablePresentation"
SUBJECT_PREFIX = "urn:goodstanding:subject:"
"""Makes an IRI of our ``sub``, which linked data wants to be one; to readers here it is what other formats say."""


def check_envelope(document: Mapping[str, Any], *, context: str, kind: str) -> None:
    """Check the version of the data model and that a document is what it is taken for.

    Args:
        document: Untrusted.
        context: The first entry that ``@context`` must have.
        kind: ``CREDENTIAL`` or ``PRESENTATION``, one of the entries of ``type``.

    Raises:
        W3cDocumentError: It is not.

    Source: VCDM 1.1, sections 4.1 and 4.3; VCDM 2.0, sections 4.3 and 4.5.
    """
    contexts = listed(document.get("@context"))
    if not contexts or contexts[0] != context:
        raise W3cDocumentError(f"@context does not begin with {context}.")
    if kind not in read_types(document):
        raise W3cDocumentError(f"type is without {kind}.")


def read_types(document: Mapping[str, Any]) -> list[str]:
    """Return ``type``; raises W3cDocumentError where it is not one text or a list of different ones."""
    types = listed(document.get("type"))
    if not all(isinstance(each, str) and each for each in types) or len(set(types)) != len(types):
        raise W3cDocumentError("type is not a list of different texts.")
    return types


def name_type(document: Mapping[str, Any]) -> str:
    """Return the ``vct`` of the one type of ours that a credential has, else the last type that it names itself.

    Raises:
        W3cDocumentError: It claims to be of several of our types, which no single trust could cover.
    """
    types = [each for each in read_types(document) if each != CREDENTIAL]
    ours = [vct for each in types if (vct := _find_vct(each)) is not None]
    if len(ours) > 1:
        raise W3cDocumentError("The credential claims to be of several types at once.")
    return ours[0] if ours else (types or [CREDENTIAL])[-1]


def _find_vct(name: str) -> str | None:
    """Return the ``vct`` of a type of ours, which is also its IRI in linked data; None for types of others."""
    kind = type_of_w3c(name)
    if kind is not None:
        return kind.vct
    return name if is_vct(name) else None


def read_subject(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one ``credentialSubject``, with its ``id`` if it has one.

    Raises:
        W3cDocumentError: None, several, or not an object with an identifier that is a text.
    """
    subjects = listed(document.get("credentialSubject"))
    if len(subjects) != 1 or not isinstance(subjects[0], dict) or not subjects[0]:
        raise W3cDocumentError("credentialSubject is not exactly one object.")
    read_id(subjects[0], "id")
    return subjects[0]


def read_subject_claims(subject: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims about a subject, ``sub`` as it stands in other formats."""
    claims = {name: value for name, value in subject.items() if name != "id"}
    if isinstance(claims.get("sub"), str):
        claims["sub"] = claims["sub"].removeprefix(SUBJECT_PREFIX)
    return claims


def read_id(document: Mapping[str, Any], name: str, *, may_be_object: bool = False) -> str | None:
    """Return an identifier, or with ``may_be_object`` an object's ``id``; None where the member is missing.

    Raises:
        W3cDocumentError: The member holds no text.
    """
    if name not in document:
        return None
    value = document[name]
    found = value.get("id") if may_be_object and isinstance(value, dict) else value
    if not isinstance(found, str) or not found:
        raise W3cDocumentError(f"{name} is not an identifier.")
    return found


def read_instant(document: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time in UTC; None where the member is missing.

    Raises:
        W3cDocumentError: Not a time with a zone.

    Source: XML Schema 1.1 part 2, section 3.4.28 (dateTimeStamp).
    """
    if name not in document:
        return None
    instant = parse_instant(document[name])
    if instant is None:
        raise W3cDocumentError(f"{name} is not a time that exists, with a zone.")
    return instant


def listed(value: Any) -> list[Any]:
    """Return the entries of a member that is a list or one entry; a missing one has none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
