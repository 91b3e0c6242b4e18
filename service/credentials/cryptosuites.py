"""The cryptosuites of Data Integrity: what each of them hashes before it is signed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256, sha384
from types import MappingProxyType
from typing import Any, Literal

import rfc8785

from service.credentials.canonical import canonicalize
from service.credentials.jwk import VerificationKey
from service.credentials.linked_data_errors import CryptosuiteUnsupportedError, LinkedDataInvalidError
from service.credentials.rdf import Contexts, canonicalize_rdf

_DIGESTS: Mapping[str, Callable[..., Any]] = {"EdDSA": sha256, "ES256": sha256, "ES384": sha384}


@dataclass(frozen=True, slots=True)
class Cryptosuite:
    """One cryptosuite.

    Attributes:
        name: As ``cryptosuite`` names it.
        algorithms: Of the keys that it takes, as ``VerificationKey.alg``.
        canonical: How documents are brought into their canonical form.
        is_legacy: Whether it is of version 1.1's time, and itself the ``type`` of its proofs.
        value_name: The member that holds the signature.
    """

    name: str
    algorithms: tuple[str, ...]
    canonical: Literal["jcs", "rdfc"]
    is_legacy: bool = False
    value_name: Literal["proofValue", "jws"] = "proofValue"


CRYPTOSUITES: Mapping[str, Cryptosuite] = MappingProxyType(
    {
        suite.name: suite
        for suite in (
            Cryptosuite("eddsa-rdfc-2022", ("EdDSA",), "rdfc"),
            Cryptosuite("eddsa-jcs-2022", ("EdDSA",), "jcs"),
            Cryptosuite("ecdsa-rdfc-2019", ("ES256", "ES384"), "rdfc"),
            Cryptosuite("ecdsa-jcs-2019", ("ES256", "ES384"), "jcs"),
        )
    }
)
"""The supported cryptosuites by name. Source: VC DI EdDSA 1.0 and VC DI ECDSA 1.0, sections 3.2 and 3.3."""

ACCOUNT_SUITE = "EcdsaSecp256k1RecoverySignature2020"
"""Its keys are accounts on chains, whose signatures only didkit verifies."""

LEGACY_SUITES: Mapping[str, Cryptosuite] = MappingProxyType(
    {
        suite.name: suite
        for suite in (
            Cryptosuite("Ed25519Signature2018", ("EdDSA",), "rdfc", True, "jws"),
            Cryptosuite("Ed25519Signature2020", ("EdDSA",), "rdfc", True),
            Cryptosuite("JsonWebSignature2020", ("EdDSA", "ES256", "ES384"), "rdfc", True, "jws"),
            Cryptosuite(ACCOUNT_SUITE, ("ES256K-R",), "rdfc", True, "jws"),
        )
    }
)
"""Suites of version 1.1's time, by the ``type`` of their proofs.

Source: Ed25519 Signature 2018 and 2020, JSON Web Signature 2020, EcdsaSecp256k1RecoverySignature2020 (all drafts).
"""


def hash_secured(
    unsecured: Mapping[str, Any],
    options: Mapping[str, Any],
    suite: Cryptosuite,
    key: VerificationKey,
    contexts: Contexts,
) -> bytes:
    """Return what the key of a proof signs: the hash of the proof's options, then that of the document.

    Args:
        unsecured: The document without the proof, but with those that the proof builds on.
        options: The proof without its ``proofValue``.
        suite: The proof's cryptosuite.
        key: Decides which hash function fits its curve.
        contexts: The contexts that the document may name.

    Raises:
        CryptosuiteUnsupportedError: The key isn't one for this suite.
        VerificationError: There is no canonical form; see ``canonicalize_rdf``.

    Source: VC DI EdDSA 1.0, sections 3.2.3 to 3.2.5 and 3.3.3 to 3.3.5; VC DI ECDSA 1.0, the same sections.
    """
    if key.alg not in suite.algorithms:
        raise CryptosuiteUnsupportedError("The proof's key isn't one for its cryptosuite.")
    digest = sha256 if suite.is_legacy else _DIGESTS[key.alg]
    if suite.canonical == "jcs":
        forms = _canonicalize_json(options), _canonicalize_json(unsecured)
    else:
        config = name_contexts(options, unsecured, suite)
        # P-384 also tells nodes apart by SHA-384, as section 3.2.3 of VC DI ECDSA 1.0 expects.
        forms = canonicalize_rdf(config, contexts, digest), canonicalize_rdf(unsecured, contexts, digest)
    return b"".join(digest(form).digest() for form in forms)


def name_contexts(options: Mapping[str, Any], unsecured: Mapping[str, Any], suite: Cryptosuite) -> dict[str, Any]:
    """Return the options of a proof with the contexts of its document; in legacy suites its own come after them."""
    context, own = unsecured["@context"], options.get("@context") if suite.is_legacy else None
    return {**options, "@context": context if own is None else [*_listed(context), *_listed(own)]}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _canonicalize_json(value: Mapping[str, Any]) -> bytes:
    try:
        return canonicalize(value)
    except rfc8785.CanonicalizationError as error:
        raise LinkedDataInvalidError("The document has no canonical form.") from error
