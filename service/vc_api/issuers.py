"""The façade's own issuers: one did:key per kind of key, trusted by nobody."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from service.credentials.did import did_key_from_jwk
from service.credentials.instants import write_instant
from service.credentials.jose import SignFunction, VerificationKey, jwk_thumbprint, load_key
from service.keys import Signer
from service.keys.files import create_private_file

_ALGORITHMS = ("EdDSA", "ES256", "ES384")
_DEFAULT_SUITES = {"EdDSA": "eddsa-{}-2022", "ES256": "ecdsa-{}-2019", "ES384": "ecdsa-{}-2019"}
_FILE = "vc-api-issuers.json"


@dataclass(frozen=True, slots=True)
class FacadeIssuer:
    """One issuer.

    Attributes:
        did: Its did:key.
        key: The public key.
        sign: Signs with the private one.
    """

    did: str
    key: VerificationKey
    sign: SignFunction

    @property
    def fragment(self) -> str:
        """The key as multibase text."""
        return self.did.removeprefix("did:key:")

    @property
    def method(self) -> str:
        """DID URL of the key."""
        return f"{self.did}#{self.fragment}"


def write_proof_options(
    issuer: FacadeIssuer, cryptosuite: str | None, now: datetime, *, canonical: str = "rdfc"
) -> dict[str, Any]:
    """Write what a proof of an issuer says of itself; without a cryptosuite it is the one of its key and this form."""
    return {
        "cryptosuite": cryptosuite or _DEFAULT_SUITES[issuer.key.alg].format(canonical),
        "created": write_instant(now),
        "verificationMethod": issuer.method,
        "proofPurpose": "assertionMethod",
    }


def open_issuers(signer: Signer, data_dir: Path) -> Mapping[str, FacadeIssuer]:
    """Return the issuers by their DID; made at the first start, so that suites can be told of them."""
    path = data_dir / _FILE
    if not path.exists():
        made = [dict(signer.create_key(alg).jwk) for alg in _ALGORITHMS]
        create_private_file(path, json.dumps(made).encode())  # the keys of the first process are the ones that count
    issuers = [_open_issuer(signer, load_key(jwk)) for jwk in json.loads(path.read_bytes())]
    return {issuer.did: issuer for issuer in issuers}


def _open_issuer(signer: Signer, key: VerificationKey) -> FacadeIssuer:
    return FacadeIssuer(did_key_from_jwk(key.jwk), key, signer.signing_function(jwk_thumbprint(key.jwk)))
