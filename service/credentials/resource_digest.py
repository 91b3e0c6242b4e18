"""Digests by which a document fixes the content of another."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from service.credentials.encoding import MalformedJoseError, b64url_decode
from service.credentials.multikey import decode_base58
from service.errors import VerificationError

_SRI = frozenset({"sha256", "sha384", "sha512"})
_MULTIHASH_SHA256 = b"\x12\x20"
_MAX_CHARACTERS = 256


class RelatedResourceError(VerificationError):
    """A related resource has another digest than the credential says, or none that can be checked."""

    code = "related_resource_mismatch"
    check = "format"


def check_digests(entry: Mapping[str, Any], content: bytes) -> None:
    """Check every digest that a related resource is given.

    Args:
        entry: With ``digestSRI``, ``digestMultibase`` or both, as texts.
        content: The resource.

    Raises:
        RelatedResourceError: One is another, or cannot be read.

    Source: VCDM 2.0, section 5.3; Subresource Integrity, section 3.5; Controlled Identifiers 1.0, section 2.5.
    """
    checks = {"digestSRI": _fits_sri, "digestMultibase": _fits_multibase}
    for name, fits in checks.items():
        if name in entry and not (len(entry[name]) <= _MAX_CHARACTERS and fits(entry[name], content)):
            raise RelatedResourceError("A related resource has another digest.")


def _fits_sri(text: str, content: bytes) -> bool:
    algorithm, _, encoded = text.partition("-")
    if algorithm not in _SRI:
        return False
    try:
        return base64.b64decode(encoded, validate=True) == hashlib.new(algorithm, content).digest()
    except binascii.Error:
        return False


def _fits_multibase(text: str, content: bytes) -> bool:
    try:
        found = b64url_decode(text[1:]) if text.startswith("u") else decode_base58(text[1:]) if text[:1] == "z" else b""
    except MalformedJoseError:
        return False
    # Version 2.0 shows bare SHA-256 digests, Controlled Identifiers 1.0 multihashes.
    return found.removeprefix(_MULTIHASH_SHA256) == hashlib.sha256(content).digest()
