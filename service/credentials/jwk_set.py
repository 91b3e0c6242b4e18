"""A party's registered public keys, and which of them a token may have been signed with."""

from collections.abc import Sequence
from typing import Any

from service.credentials.encoding import MalformedJoseError
from service.credentials.jwk import VerificationKey, load_key

MAX_KEYS = 10


def load_jwk_set(raw: Any) -> tuple[VerificationKey, ...]:
    """Load a JWK Set whose keys verify signatures; unlike a reader of foreign sets, skip nothing.

    Args:
        raw: The set as JSON.

    Raises:
        MalformedJoseError: No set of 1 to ``MAX_KEYS`` keys, a key that ``load_key`` refuses, or several keys that
            aren't told apart by their ``kid``.

    Source: RFC 7517, section 5.
    """
    keys = raw.get("keys") if isinstance(raw, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= MAX_KEYS:
        raise MalformedJoseError(f"The JWK Set doesn't hold 1 to {MAX_KEYS} keys.")
    if not all(isinstance(key, dict) for key in keys):
        raise MalformedJoseError("The JWK Set holds something that is no key.")
    loaded = tuple(load_key(key) for key in keys)
    kids = [key.kid for key in loaded]
    if len(loaded) > 1 and (None in kids or len(set(kids)) != len(kids)):
        raise MalformedJoseError("Several keys of one JWK Set need a kid each.")
    return loaded


def select_key(keys: Sequence[VerificationKey], kid: str | None) -> VerificationKey | None:
    """Return the key that a token's header means: the one named, or the only one where none is named.

    The only key of a party that names none fits any ``kid``: there is no other that it could be mistaken for.
    """
    if kid is None or (len(keys) == 1 and keys[0].kid is None):
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.kid == kid), None)
