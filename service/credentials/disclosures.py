"""Selective disclosure inside one JSON object: make disclosures, and put them back. Knows no JWT, issuer or key."""

from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from service.credentials.encoding import MalformedJoseError, b64url_decode, b64url_encode, parse_json, write_json
from service.credentials.sd_jwt_errors import (
    DigestDuplicateError,
    DigestMalformedError,
    DisclosureConflictError,
    DisclosureDuplicateError,
    DisclosureForbiddenError,
    DisclosureMalformedError,
    DisclosureUnreferencedError,
    HashAlgorithmError,
)

SD_KEY, ELEMENT_KEY, ALGORITHM_KEY = "_sd", "...", "_sd_alg"
HASH_ALGORITHM = "sha-256"
RESERVED_NAMES = frozenset({SD_KEY, ELEMENT_KEY, ALGORITHM_KEY})
NEVER_DISCLOSABLE = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
# Each JSON text is capped on its own, but disclosures can nest in disclosures; this caps the sum (and our recursion).
MAX_DEPTH = 64

_MARKS = frozenset({SD_KEY, ALGORITHM_KEY})
_CONTAINERS = (dict, list)

Location = tuple[str | int, ...]


class Disclosure(NamedTuple):
    """One disclosure as it was sent.

    Attributes:
        encoded: The base64url text that was hashed.
        name: Claim name; ``None`` for an array element.
        value: Claim value or array element; may hold further digests.
    """

    encoded: str
    name: str | None
    value: Any


class Revealed(NamedTuple):
    """Outcome of putting disclosures back.

    Attributes:
        claims: The object without any trace of selective disclosure.
        locations: Where each disclosure went, by its encoded text: names and array positions from the top.
    """

    claims: dict[str, Any]
    locations: Mapping[str, Location]


def hash_disclosure(encoded: str) -> str:
    """Return the base64url SHA-256 digest of an encoded disclosure. Source: RFC 9901 section 4.2.3."""
    return b64url_encode(sha256(encoded.encode("ascii")).digest())


def conceal_claims(
    claims: Mapping[str, Any], *, disclosable: Collection[str], new_salt: Callable[[], str]
) -> tuple[dict[str, Any], list[str]]:
    """Replace top-level claims by digests.

    Args:
        claims: What to issue, in plain.
        disclosable: Names to conceal; those that ``claims`` lacks are skipped.
        new_salt: Returns a fresh text of at least 128 random bits at every call.

    Returns:
        The object with sorted digests (their order tells nothing), and the encoded disclosures.

    Raises:
        ValueError: A name may not be concealed, ``claims`` uses a reserved name, or a salt came twice.

    Source: RFC 9901 sections 4.1 and 4.2; SD-JWT VC section 2.2.2.3 (claims that stay in plain).
    """
    if forbidden := (NEVER_DISCLOSABLE | RESERVED_NAMES) & set(disclosable):
        raise ValueError(f"not selectively disclosable: {sorted(forbidden)}")
    _refuse_reserved_names(claims)
    names = [name for name in claims if name in disclosable]
    salts = [new_salt() for _ in names]
    if len(set(salts)) != len(salts):
        raise ValueError("every disclosure needs its own salt")
    encoded = [_encode_disclosure([salt, name, claims[name]]) for salt, name in zip(salts, names, strict=True)]
    payload = {name: value for name, value in claims.items() if name not in disclosable}
    if encoded:
        payload[SD_KEY] = sorted(hash_disclosure(item) for item in encoded)
        payload[ALGORITHM_KEY] = HASH_ALGORITHM
    return payload, encoded


def _encode_disclosure(parts: list[Any]) -> str:
    return b64url_encode(write_json(parts))


def _refuse_reserved_names(value: Any) -> None:
    if isinstance(value, Mapping):
        if found := RESERVED_NAMES & value.keys():
            raise ValueError(f"reserved for selective disclosure: {sorted(found)}")
        for member in value.values():
            _refuse_reserved_names(member)
    elif isinstance(value, list | tuple):
        for member in value:
            _refuse_reserved_names(member)


def parse_disclosure(encoded: str) -> Disclosure:
    """Decode one disclosure.

    Raises:
        DisclosureMalformedError: Not base64url of a JSON array ``[salt, name, value]`` or ``[salt, value]``.

    Source: RFC 9901 section 4.2.
    """
    try:
        parts = parse_json(b64url_decode(encoded))
    except MalformedJoseError as error:
        raise DisclosureMalformedError(f"A disclosure cannot be read: {error.detail}") from error
    match parts:
        case [str(), str() as name, value]:
            return Disclosure(encoded, name, value)
        case [str(), value]:
            return Disclosure(encoded, None, value)
    raise DisclosureMalformedError("A disclosure is not an array of a salt, a name and a value.")


def reveal_claims(payload: Mapping[str, Any], encoded: Iterable[str]) -> Revealed:
    """Put disclosures back where their digests stand.

    1. ``_sd_alg`` is absent or ``sha-256``, and stands nowhere below the top level.
    2. Each disclosure is readable and was sent once.
    3. Every ``_sd`` is an array of texts, every ``...`` the only member of an array element.
    4. No digest stands twice: in objects, in arrays, inside disclosures, with or without a disclosure.
    5. No disclosure holds a claim that must stay in plain, a part of one, or a reserved name. (Decoy digests may
       stand anywhere; a part that was hidden and is needed will be missed by its reader.)
    6. A disclosure has three parts in an object, two in an array, and its name is still free.
    7. Every disclosure was referenced by a digest.

    Args:
        payload: Claims of the issuer-signed JWT.
        encoded: The disclosures that were sent.

    Raises:
        VerificationError: One of ``sd_jwt_errors`` whose ``check`` is ``disclosures``.

    Source: RFC 9901 section 7.1, steps 2.d to 5; SD-JWT VC section 2.2.2.3.
    """
    if payload.get(ALGORITHM_KEY, HASH_ALGORITHM) != HASH_ALGORITHM:  # (1)
        raise HashAlgorithmError("The credential uses another hash algorithm than sha-256.")
    pending: dict[str, Disclosure] = {}
    for item in encoded:  # (2)
        disclosure = parse_disclosure(item)
        digest = hash_disclosure(item)
        if digest in pending:
            raise DisclosureDuplicateError("A disclosure was sent twice.")
        pending[digest] = disclosure
    walk = _Walk(pending)
    claims = walk.reveal_object(payload, ())
    if walk.pending:  # (7)
        raise DisclosureUnreferencedError("A disclosure belongs to no digest of the credential.")
    return Revealed(claims, walk.locations)


class _Walk:
    """One pass over a payload; uses ``pending`` up and collects what must be unique over the whole of it."""

    def __init__(self, pending: dict[str, Disclosure]) -> None:
        self.pending = pending
        self.seen: set[str] = set()
        self.locations: dict[str, Location] = {}

    def reveal(self, value: Any, at: Location) -> Any:
        if isinstance(value, dict):
            return self.reveal_object(value, at)
        return self.reveal_array(value, at) if isinstance(value, list) else value

    def reveal_object(self, value: Mapping[str, Any], at: Location) -> dict[str, Any]:
        if len(at) > MAX_DEPTH:
            raise DisclosureMalformedError("Disclosures are nested too deeply.")
        if ELEMENT_KEY in value:  # (3)
            raise DigestMalformedError("'...' stands outside of an array, or beside other members.")
        if ALGORITHM_KEY in value and at:  # (1)
            raise HashAlgorithmError("_sd_alg stands below the top level.")
        claims = {
            name: self.reveal(member, (*at, name)) if isinstance(member, _CONTAINERS) else member
            for name, member in value.items()
            if name not in _MARKS
        }
        if SD_KEY in value:
            self._disclose_members(self._take_all(value[SD_KEY], at), claims, at)
        return claims

    def _disclose_members(self, disclosures: Iterable[Disclosure], claims: dict[str, Any], at: Location) -> None:
        for encoded, name, value in disclosures:
            if name is None:  # (6)
                raise DisclosureMalformedError("An array element's disclosure stands in an object.")
            self._check_name(name, claims, at)
            self.locations[encoded] = place = (*at, name)
            claims[name] = self.reveal(value, place)

    def reveal_array(self, value: list[Any], at: Location) -> list[Any]:
        if len(at) > MAX_DEPTH:
            raise DisclosureMalformedError("Disclosures are nested too deeply.")
        elements: list[Any] = []
        for element in value:
            if not (isinstance(element, dict) and element.keys() == {ELEMENT_KEY}):
                elements.append(self.reveal(element, (*at, len(elements))))
                continue
            for disclosure in self._take_all([element[ELEMENT_KEY]], at):
                if disclosure.name is not None:  # (6)
                    raise DisclosureMalformedError("An object member's disclosure stands in an array.")
                self.locations[disclosure.encoded] = place = (*at, len(elements))
                elements.append(self.reveal(disclosure.value, place))
        return elements

    def _take_all(self, digests: Any, at: Location) -> list[Disclosure]:
        """Return the disclosures of digests that stand at one place, in the order of the digests."""
        if not isinstance(digests, list):  # (3)
            raise DigestMalformedError("_sd is not an array.")
        if not set(map(type, digests)) <= {str}:  # (3)
            raise DigestMalformedError("A digest is not a text.")
        fresh = set(digests)
        if len(fresh) != len(digests) or not self.seen.isdisjoint(fresh):  # (4)
            raise DigestDuplicateError("A digest stands in the credential more than once.")
        self.seen |= fresh
        taken = [self.pending.pop(digest) for digest in digests if digest in self.pending]
        if taken and at and at[0] in NEVER_DISCLOSABLE:  # (5)
            raise DisclosureForbiddenError("A part of a claim that must stay in plain stands in a disclosure.")
        return taken

    @staticmethod
    def _check_name(name: str, claims: Mapping[str, Any], at: Location) -> None:
        if name in RESERVED_NAMES or (not at and name in NEVER_DISCLOSABLE):  # (5)
            raise DisclosureForbiddenError("A disclosure carries a claim that must not be selectively disclosable.")
        if name in claims:  # (6)
            raise DisclosureConflictError("A disclosed claim is already present.")
