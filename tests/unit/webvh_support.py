"""Logs of did:webvh as an honest or dishonest controller writes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from service.credentials.cryptosuites import CRYPTOSUITES, hash_secured
from service.credentials.did_webvh import hash_canonically
from service.credentials.encoding import parse_json, write_json
from service.credentials.multikey import encode_base58, encode_multikey
from service.credentials.rdf import Contexts
from tests.unit.jose_support import Signer, new_signer

START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = [new_signer("EdDSA") for _ in range(4)]
PLACEHOLDER = "{SCID}"


def multikey(signer: Signer) -> str:
    return encode_multikey(signer.key)


def build_proof(unsecured: dict[str, Any], signer: Signer, **changes: Any) -> dict[str, Any]:
    suite = "eddsa-jcs-2022" if signer.alg == "EdDSA" else "ecdsa-jcs-2019"
    name = f"did:key:{multikey(signer)}#{multikey(signer)}"
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": suite,
        "verificationMethod": name,
        "created": "2026-01-01T00:00:00Z",
        "proofPurpose": "assertionMethod",
        **changes,
    }
    data = hash_secured(unsecured, options, CRYPTOSUITES[suite], signer.key, Contexts({}))
    return {**options, "proofValue": "z" + encode_base58(signer.sign(data))}


@dataclass
class WebvhLog:
    """A log under construction; every method signs and hashes what it is told, however wrong."""

    place: str = "issuer.example"
    entries: list[dict[str, Any]] = field(default_factory=list)
    scid: str = ""

    @property
    def did(self) -> str:
        return f"did:webvh:{self.scid}:{self.place}"

    @property
    def body(self) -> bytes:
        return b"".join(write_json(entry) + b"\n" for entry in self.entries)

    def create(
        self, state: dict[str, Any] | None = None, signer: Signer = KEYS[0], *, at: datetime = START, **parameters: Any
    ) -> None:
        """Write the first entry; ``{SCID}`` stands for the hash, in the state too."""
        unsigned = {
            "versionId": PLACEHOLDER,
            "versionTime": at.isoformat(),
            "parameters": {
                "method": "did:webvh:1.0",
                "scid": PLACEHOLDER,
                "updateKeys": [multikey(signer)],
                **parameters,
            },
            "state": {"id": f"did:webvh:{PLACEHOLDER}:{self.place}", **(state or {})},
        }
        self.scid = hash_canonically(unsigned)
        filled = parse_json(write_json(unsigned).decode().replace(PLACEHOLDER, self.scid))
        self.append({**filled, "versionId": self.scid}, [signer])

    def update(
        self,
        state: dict[str, Any] | None = None,
        signers: Sequence[Signer] = KEYS[:1],
        *,
        at: datetime | None = None,
        **parameters: Any,
    ) -> None:
        """Write the next entry, a day later unless ``at`` says otherwise."""
        at = at or START + timedelta(days=len(self.entries))
        previous = self.entries[-1]["versionId"]
        unsigned = {"versionId": previous, "versionTime": at.isoformat(), "parameters": parameters}
        self.append({**unsigned, "state": {"id": self.did, **(state or {})}}, signers)

    def approve(self, number: int, *signers: Signer, **changes: Any) -> dict[str, Any]:
        """Return what a file of witnesses' proofs says about the version ``number``, from 0."""
        version_id = self.entries[number]["versionId"]
        proofs = [build_proof({"versionId": version_id}, signer, **changes) for signer in signers]
        return {"versionId": version_id, "proof": proofs}

    def append(self, unsigned: dict[str, Any], signers: Sequence[Signer]) -> None:
        """Hash, sign and add an entry that says in ``versionId`` what it follows."""
        number = len(self.entries) + 1
        entry = {**unsigned, "versionId": f"{number}-{hash_canonically(unsigned)}"}
        self.entries.append({**entry, "proof": [build_proof(entry, signer) for signer in signers]})
