"""The W3C data model of credentials and presentations: what every one of them must look like, whatever secures it.

Version 2.0, and 1.1 where it differs: its base context, and the names of the dates. Contexts are looked at here only
for their order; whether they are known is for ``rdf.Contexts``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.credentials.sd_jwt_errors import CredentialExpiredError, CredentialNotYetValidError
from service.credentials.w3c_document import (
    CREDENTIAL,
    ENVELOPED_CREDENTIAL,
    PRESENTATION,
    V1_CONTEXT,
    V2_CONTEXT,
    listed,
    read_instant,
)
from service.credentials.w3c_errors import W3cDocumentError

LEEWAY = timedelta(seconds=60)
MAX_CREDENTIALS = 20

_URL = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>"{}|\\^`]+')
_TERM = re.compile(r"[^\x00-\x20@:][^\x00-\x20:]*")
_LANGUAGE_VALUE = frozenset({"@value", "@language", "@direction"})
_TYPED = ("credentialStatus", "credentialSchema", "termsOfUse", "evidence", "refreshService", "proof")


@dataclass(frozen=True, slots=True)
class Validity:
    """When a credential holds; both ends may be open."""

    valid_from: datetime | None
    valid_until: datetime | None

    def check(self, now: datetime, leeway: timedelta = LEEWAY) -> None:
        """Check that ``now`` lies within, give or take ``leeway``.

        Raises:
            CredentialNotYetValidError, CredentialExpiredError: It does not.
        """
        if self.valid_from is not None and self.valid_from > now + leeway:
            raise CredentialNotYetValidError("The credential isn't valid yet.")
        if self.valid_until is not None and self.valid_until <= now - leeway:
            raise CredentialExpiredError("The credential has expired.")


def check_credential(document: Any) -> Validity:
    """Check a credential, secured or not yet, and return when it holds.

    Args:
        document: Parsed from strict JSON; untrusted.

    Raises:
        W3cDocumentError: It breaks a rule of the data model.

    Source: VCDM 2.0, sections 4.3 to 4.11, 5.3 to 5.6 and 11.1; VCDM 1.1, sections 4.1 to 4.9 and 5.
    """
    base = _check_common(document, CREDENTIAL)
    _check_issuer(document.get("issuer"))
    _check_subjects(document)
    _check_names(document)
    for name in _TYPED:
        for entry in _objects(document, name):
            _check_typed(entry, name)
    _check_related(document)
    return _read_validity(document, base)


def check_presentation(document: Any) -> None:
    """Check a presentation and each credential in it.

    Args:
        document: Parsed from strict JSON; untrusted.

    Raises:
        W3cDocumentError: It breaks a rule of the data model.

    Source: VCDM 2.0, section 4.13; VCDM 1.1, section 4.10.
    """
    _check_common(document, PRESENTATION)
    if "holder" in document:
        read_identifier(document["holder"], "holder")
    for entry in _objects(document, "proof"):
        _check_typed(entry, "proof")
    credentials = list(_objects(document, "verifiableCredential"))
    if len(credentials) > MAX_CREDENTIALS:
        raise W3cDocumentError(f"The presentation has more than {MAX_CREDENTIALS} credentials.")
    for credential in credentials:
        if credential.get("type") in (ENVELOPED_CREDENTIAL, [ENVELOPED_CREDENTIAL]):
            check_envelope(credential, ENVELOPED_CREDENTIAL)
        else:
            check_credential(credential)


def check_envelope(document: Mapping[str, Any], envelope_type: str) -> str:
    """Check an enveloped credential or presentation and return its ``data:`` URL.

    Raises:
        W3cDocumentError: Another type, no base context, or an ``id`` that is no ``data:`` URL.

    Source: VCDM 2.0, sections 4.13.1 and 4.13.2.
    """
    if V2_CONTEXT not in listed(document.get("@context")):
        raise W3cDocumentError("The envelope doesn't name the base context.")
    if document.get("type") not in (envelope_type, [envelope_type]):
        raise W3cDocumentError("The envelope is of another type.")
    url = document.get("id")
    if not isinstance(url, str) or not url.startswith("data:") or "," not in url:
        raise W3cDocumentError("The envelope's id isn't a data URL.")
    return url


def read_identifier(value: Any, name: str) -> str:
    """Return the URL that is ``value``, or that is its ``id``.

    Raises:
        W3cDocumentError: There is none.
    """
    url = value.get("id") if isinstance(value, dict) else value
    if not is_url(url):
        raise W3cDocumentError(f"The {name} has no URL.")
    return str(url)


def _check_common(document: Any, expected_type: str) -> str:
    if not isinstance(document, dict):
        raise W3cDocumentError("The document isn't an object.")
    contexts = listed(document.get("@context"))
    base = contexts[0] if contexts else None
    if base not in (V2_CONTEXT, V1_CONTEXT):
        raise W3cDocumentError("The first context isn't the base context.")
    if base == V2_CONTEXT and not isinstance(document["@context"], list):
        raise W3cDocumentError("The contexts aren't an ordered set.")
    for context in contexts[1:]:
        if not isinstance(context, dict) and not is_url(context):
            raise W3cDocumentError("A context is neither a URL nor an object.")
    types = _check_types(document)
    if expected_type not in types:
        raise W3cDocumentError(f"The document isn't a {expected_type}.")
    if "id" in document and not is_url(document["id"]):
        raise W3cDocumentError("The id isn't one URL.")
    return str(base)


def _check_types(entry: Mapping[str, Any]) -> list[Any]:
    types = listed(entry.get("type"))
    if not types or not all(isinstance(name, str) and (_TERM.fullmatch(name) or is_url(name)) for name in types):
        raise W3cDocumentError("A type is missing, or is neither a term nor a URL.")
    return types


def _check_issuer(issuer: Any) -> None:
    read_identifier(issuer, "issuer")
    if isinstance(issuer, dict):
        _check_names(issuer)


def _check_subjects(document: Mapping[str, Any]) -> None:
    subjects = list(_objects(document, "credentialSubject"))
    if not subjects:
        raise W3cDocumentError("The credential has no subject.")
    for subject in subjects:
        if not subject:
            raise W3cDocumentError("A subject of the credential has no claims.")
        if "id" in subject and not is_url(subject["id"]):
            raise W3cDocumentError("A subject's id isn't one URL.")


def _check_typed(entry: Mapping[str, Any], name: str) -> None:
    _check_types(entry)
    if "id" in entry and not is_url(entry["id"]):
        raise W3cDocumentError(f"The id of the {name} isn't one URL.")
    if name == "credentialSchema" and "id" not in entry:
        raise W3cDocumentError("The credentialSchema has no id.")


def _check_names(entry: Mapping[str, Any]) -> None:
    for name in ("name", "description"):
        for value in listed(entry.get(name)):
            if isinstance(value, dict):
                if not _LANGUAGE_VALUE.issuperset(value) or not all(isinstance(text, str) for text in value.values()):
                    raise W3cDocumentError(f"The {name} isn't a text with a language.")
                value = value.get("@value")
            if not isinstance(value, str):
                raise W3cDocumentError(f"The {name} isn't a text.")


def _check_related(document: Mapping[str, Any]) -> None:
    seen = set()
    for entry in _objects(document, "relatedResource"):
        url = read_identifier(entry, "relatedResource")
        if url in seen:
            raise W3cDocumentError("Two related resources have one id.")
        seen.add(url)
        digests = [entry[name] for name in ("digestSRI", "digestMultibase") if name in entry]
        if not digests or not all(isinstance(digest, str) for digest in digests):
            raise W3cDocumentError("A related resource has no digest.")


def _read_validity(document: Mapping[str, Any], base: str) -> Validity:
    names = ("validFrom", "validUntil") if base == V2_CONTEXT else ("issuanceDate", "expirationDate")
    if base == V1_CONTEXT and names[0] not in document:
        raise W3cDocumentError("The credential has no issuanceDate.")
    start, end = (read_instant(document, name) for name in names)
    if start is not None and end is not None and end < start:
        raise W3cDocumentError("The credential ends before it begins.")
    return Validity(start, end)


def _objects(document: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a member that is one, or a list of them; an absent one has none."""
    if name not in document:
        return
    for entry in listed(document[name]) or [None]:
        if not isinstance(entry, dict):
            raise W3cDocumentError(f"The {name} isn't an object, or a list of them.")
        yield entry


def is_url(value: Any) -> bool:
    """Tell whether a value is an absolute URL."""
    return isinstance(value, str) and _URL.fullmatch(value) is not None
