"""Status lists of the façade's own issuers: a file for each place that was given out, in the data directory.

The operating system sees to it that no place is given out twice, whatever processes ask.
"""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service.credentials.bitstring_status_list import (
    ENTRY_TYPES,
    PACKED_BITS,
    PUBLISHED_PURPOSES,
    PURPOSES,
    build_status_entries,
    read_status_entries,
    split_reference,
)
from service.credentials.credential import StatusReference
from service.credentials.data_integrity import add_proof
from service.credentials.rdf import Contexts
from service.credentials.sd_jwt_errors import StatusReferenceError
from service.credentials.status_list import set_status
from service.credentials.status_list_credential import build_linked_status_list, build_status_list_credential
from service.errors import InvalidInputError
from service.vc_api.issuers import FacadeIssuer, write_proof_options

CAPACITY = 131_072
TTL = timedelta(minutes=1)
LIFE = timedelta(days=1)
_FOLDER = "vc-api-statuses"


class FacadeStatusError(InvalidInputError):
    """The façade's issuers keep no such status, or the façade knows that the credential was withdrawn."""

    code = "facade_status_refused"


class FacadeStatuses:
    """The lists, one for each issuer and purpose.

    Args:
        data_dir: Where the places are kept.
        base_url: Of the service; lists are served below it.
    """

    def __init__(self, data_dir: Path, base_url: str) -> None:
        self._folder = data_dir / _FOLDER
        self._prefix = f"{base_url}/vc-api/status-lists/"

    def add_entries(self, credential: Mapping[str, Any], issuer: FacadeIssuer, purposes: Any) -> dict[str, Any]:
        """Return a credential with a fresh place in the list of its issuer, for each of some purposes.

        Raises:
            FacadeStatusError: Another purpose, or the credential has a status already.
        """
        wanted = [purposes] if isinstance(purposes, str) else purposes
        if not isinstance(wanted, list) or not wanted or not set(map(str, wanted)) <= set(PUBLISHED_PURPOSES):
            raise FacadeStatusError("statusPurpose is not one of revocation and suspension, or a list of them.")
        if "credentialStatus" in credential:
            raise FacadeStatusError("The credential has a status already.")
        place = StatusReference(self._prefix + issuer.fragment, self._allocate(issuer))
        return {**credential, "credentialStatus": build_status_entries(place, wanted)}

    def check(self, credential: Mapping[str, Any]) -> None:
        """Refuse a credential whose entries cannot be read, or of which a list here says that it was withdrawn.

        Lists elsewhere are not fetched.

        Raises:
            StatusReferenceError: An entry of a Bitstring Status List is malformed.
            FacadeStatusError: Withdrawn, or at a place that was never given out.
        """
        for reference in _read_entries(credential):
            address, purpose = split_reference(reference.uri)
            if not address.startswith(self._prefix) or purpose is None:
                continue
            if self._read(self._find(address, reference.index)) & PURPOSES[purpose]:
                raise FacadeStatusError(f"The credential was withdrawn by its issuer: {purpose}.")

    def change(self, entry: Mapping[str, Any], *, is_set: bool) -> None:
        """Set or clear the bit of one entry.

        Raises:
            StatusReferenceError, FacadeStatusError: Malformed, or not an entry of a list here.
        """
        for reference in read_status_entries({"credentialStatus": dict(entry)}):
            address, purpose = split_reference(reference.uri)
            place = self._find(address, reference.index)
            bit = PURPOSES[str(purpose)]
            value = self._read(place) | bit if is_set else self._read(place) & ~bit
            place.write_text(str(value), encoding="ascii")

    def build(self, issuer: FacadeIssuer, purpose: str, contexts: Contexts, *, now: datetime) -> dict[str, Any]:
        """Return the BitstringStatusListCredential of an issuer's list for one purpose."""
        packed = bytearray(CAPACITY * PACKED_BITS // 8)
        with suppress(FileNotFoundError):
            for place in (self._folder / issuer.fragment).iterdir():
                if self._read(place) & PURPOSES[purpose]:
                    set_status(packed, PACKED_BITS, int(place.name), PURPOSES[purpose])
        claims = build_status_list_credential(
            bytes(packed),
            address=f"{self._prefix}{issuer.fragment}/{purpose}",
            purpose=purpose,
            issuer=issuer.did,
            issued_at=now,
            expires_at=now + LIFE,
            ttl=TTL,
        )
        options = write_proof_options(issuer, None, now)
        return add_proof(build_linked_status_list(claims), options, issuer.key, issuer.sign, contexts)

    def _allocate(self, issuer: FacadeIssuer) -> int:
        folder = self._folder / issuer.fragment
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            index = secrets.randbelow(CAPACITY)
            with suppress(FileExistsError), (folder / str(index)).open("x", encoding="ascii") as place:
                place.write("0")
                return index

    def _find(self, address: str, index: int) -> Path:
        fragment, _, _ = address.removeprefix(self._prefix).partition("/")
        place = self._folder / fragment / str(index)
        if not address.startswith(self._prefix) or not fragment.isalnum() or not place.exists():
            raise FacadeStatusError("The façade has given out no such place in a list.")
        return place

    def _read(self, place: Path) -> int:
        return int(place.read_text(encoding="ascii"))


def _read_entries(credential: Mapping[str, Any]) -> tuple[StatusReference, ...]:
    found = credential.get("credentialStatus", [])
    entries = [each for each in (found if isinstance(found, list) else [found]) if _is_bitstring(each)]
    return read_status_entries({"credentialStatus": entries}) if entries else ()


def _is_bitstring(entry: Any) -> bool:
    if not isinstance(entry, Mapping):
        raise StatusReferenceError("The credential's credentialStatus is no object, or list of them.")
    return entry.get("type") == ENTRY_TYPES[0]
