"""The signature in a proof: multibase text, or a JWS without its payload in the suites of version 1.1's time."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from service.credentials.cryptosuites import Cryptosuite
from service.credentials.encoding import MalformedJoseError, b64url_decode, b64url_encode, parse_json, write_json
from service.credentials.linked_data_errors import CryptosuiteUnsupportedError, ProofMalformedError
from service.credentials.multikey import decode_base58, encode_base58
from service.errors import MalformedError

_MAX_CHARACTERS = 160  # base58 takes quadratic time; 96 bytes have 132 characters
_MAX_JWS_CHARACTERS = 512


class ProofValue(NamedTuple):
    """A signature as a proof carries it; not to be believed yet.

    Attributes:
        signature: Raw.
        protected: The encoded header of a JWS, which is signed before the hashes; empty in other suites.
        alg: The algorithm that this header names; None in other suites.
    """

    signature: bytes
    protected: str = ""
    alg: str | None = None


def read_proof_value(proof: Mapping[str, Any], suite: Cryptosuite) -> ProofValue:
    """Read the signature of a proof.

    Raises:
        ProofMalformedError: It is missing or of another form than the suite's, or the proof has both forms.
        CryptosuiteUnsupportedError: A JWS of an algorithm that the suite does not have.

    Source: VC Data Integrity 1.0, section 2.1; JSON Web Signature 2020, section 3.2; RFC 7797, section 6.
    """
    value = proof.get(suite.value_name)
    if not isinstance(value, str) or ("jws" in proof and "proofValue" in proof):
        raise ProofMalformedError(f"The proof's {suite.value_name} is missing, isn't text, or isn't its only value.")
    try:
        return _read_jws(value, suite) if suite.value_name == "jws" else _read_multibase(value)
    except MalformedError as error:
        raise ProofMalformedError(f"The proof's {suite.value_name} cannot be read: {error.detail}") from error


def protect(alg: str, suite: Cryptosuite) -> str:
    """Return the encoded header that a proof of a suite signs; empty where it has none."""
    if suite.value_name != "jws":
        return ""
    return b64url_encode(write_json({"alg": alg, "b64": False, "crit": ["b64"]}))


def write_proof_value(signature: bytes, protected: str) -> str:
    """Write a signature as the value of a proof."""
    return f"{protected}..{b64url_encode(signature)}" if protected else "z" + encode_base58(signature)


def _read_multibase(value: str) -> ProofValue:
    if not value.startswith("z") or len(value) > _MAX_CHARACTERS:
        raise MalformedJoseError("It isn't base58btc multibase text.")
    return ProofValue(decode_base58(value[1:]))


def _read_jws(value: str, suite: Cryptosuite) -> ProofValue:
    protected, *rest = value.split(".")
    if len(value) > _MAX_JWS_CHARACTERS or len(rest) != 2 or rest[0]:
        raise MalformedJoseError("It isn't a JWS without its payload.")
    header = parse_json(b64url_decode(protected))
    alg = header.get("alg") if isinstance(header, dict) else None
    if header != {"alg": alg, "b64": False, "crit": ["b64"]} or not isinstance(header["b64"], bool):
        raise MalformedJoseError("The JWS has another header than these suites have.")
    if alg not in suite.algorithms:
        raise CryptosuiteUnsupportedError("The JWS is of an algorithm that the suite does not have.")
    return ProofValue(b64url_decode(rest[1]), protected, alg)
