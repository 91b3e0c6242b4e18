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
    MESSAGE,
    PACKED_BITS,
    PUBLISHED_PURPOSES,
    PURPOSES,
    build_status_entries,
    encode_bitstring,
    extract_bitstring,
    find_message,
    read_status_entries,
    split_reference,
)
from service.credentials.credential import StatusReference
from service.credentials.data_integrity import add_proof
from service.credentials.rdf import Contexts
from service.credentials.sd_jwt_errors import StatusReferenceError
from service.credentials.status_list import set_status
from service.credentials.status_list_credential import build_linked_status_list, build_status_list_credential
from service.vc_api.issuers import FacadeIssuer, write_proof_options
from service.vc_api.message_lists import CAPACITY, MessageLists
from service.vc_api.status_errors import FacadeStatusError

TTL = timedelta(minutes=1)
LIFE = timedelta(days=1)
_FOLDER = "vc-api-statuses"


class FacadeStatuses:
    """The lists, one for each issuer and purpose.

    Args:
        data_dir: Where the places are kept.
        base_url: Of the service; lists are served below it.
    """

    def __init__(self, data_dir: Path, base_url: str) -> None:
        self._folder = data_dir / _FOLDER
        self._prefix = f"{base_url}/vc-api/status-lists/"
        self._messages = MessageLists(self._folder, self._prefix)

    def add_entries(
        self, credential: Mapping[str, Any], issuer: FacadeIssuer, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a credential with a fresh place in the list of its issuer, for each purpose that ``options`` name.

        Raises:
            FacadeStatusError: Another purpose, or the credential has a status already.
            StatusReferenceError: The messages of an entry are not one for each of its values.
        """
        purposes = options["statusPurpose"]
        wanted = [purposes] if isinstance(purposes, str) else purposes
        known = {*PUBLISHED_PURPOSES, MESSAGE}
        if not isinstance(wanted, list) or not wanted or not set(map(str, wanted)) <= known:
            raise FacadeStatusError(
                "statusPurpose is not one of revocation, suspension and message, or a list of them."
            )
        if "credentialStatus" in credential:
            raise FacadeStatusError("The credential has a status already.")
        published = [each for each in wanted if each != MESSAGE]
        messages = [self._messages.add_entry(issuer.fragment, options)] if MESSAGE in wanted else []
        place = StatusReference(self._prefix + issuer.fragment, self._allocate(issuer))
        return {**credential, "credentialStatus": [*build_status_entries(place, published), *messages]}

    def check(self, credential: Mapping[str, Any]) -> None:
        """Refuse a credential whose entries cannot be read, or of which a list here says that it was withdrawn.

        Lists elsewhere are not fetched.

        Raises:
            StatusReferenceError: An entry of a Bitstring Status List is malformed.
            FacadeStatusError: Withdrawn, or at a place that was never given out.
        """
        for reference in _read_entries(credential):
            address, purpose, _ = split_reference(reference.uri)
            if not address.startswith(self._prefix) or purpose is None:
                continue
            if purpose == MESSAGE:
                self._check_message(credential, reference, address)
            elif self._read(self._find(address, reference.index)) & PURPOSES[purpose]:
                raise FacadeStatusError(f"The credential was withdrawn by its issuer: {purpose}.")

    def change(self, entry: Mapping[str, Any], value: int) -> None:
        """Set one entry: to 1, or clear it with 0; if it carries messages, to any of its values.

        Raises:
            StatusReferenceError, FacadeStatusError: Malformed, or not an entry of a list here.
        """
        for reference in read_status_entries({"credentialStatus": dict(entry)}):
            address, purpose, size = split_reference(reference.uri)
            if not address.startswith(self._prefix):
                raise FacadeStatusError("The entry is of no list here.")
            if purpose == MESSAGE:
                self._messages.change(reference, address, value=value, size=size)
                continue
            place = self._find(address, reference.index)
            bit = PURPOSES[str(purpose)]
            changed = self._read(place) | bit if value else self._read(place) & ~bit
            place.write_text(str(changed), encoding="ascii")

    def build(self, issuer: FacadeIssuer, name: str, contexts: Contexts, *, now: datetime) -> dict[str, Any] | None:
        """Return the BitstringStatusListCredential of one of an issuer's lists; None if there is no such list.

        Lists of messages name them, which no context defines: their proof is over the JSON.

        Source: Bitstring Status List 1.0, section 2.2.
        """
        if name in PUBLISHED_PURPOSES:
            encoded = encode_bitstring(extract_bitstring(self._pack(issuer, name), name))
            return self._sign(issuer, name, encoded, contexts, now)
        found = self._messages.build(issuer.fragment, name)
        if found is None:
            return None
        terms = {"statusSize": found.size, "statusMessages": found.messages}
        return self._sign(issuer, name, found.encoded_list, contexts, now, terms)

    def _sign(
        self,
        issuer: FacadeIssuer,
        name: str,
        encoded_list: str,
        contexts: Contexts,
        now: datetime,
        terms: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        claims = build_status_list_credential(
            encoded_list,
            address=f"{self._prefix}{issuer.fragment}/{name}",
            purpose=name if terms is None else MESSAGE,
            issuer=issuer.did,
            issued_at=now,
            expires_at=now + LIFE,
            ttl=TTL,
        )
        document = build_linked_status_list(claims)
        document["credentialSubject"] |= terms or {}
        options = write_proof_options(issuer, None, now, canonical="rdfc" if terms is None else "jcs")
        return add_proof(document, options, issuer.key, issuer.sign, contexts)

    def _pack(self, issuer: FacadeIssuer, purpose: str) -> bytes:
        packed = bytearray(CAPACITY * PACKED_BITS // 8)
        with suppress(FileNotFoundError):
            for place in (self._folder / issuer.fragment).iterdir():
                if self._read(place) & PURPOSES[purpose]:
                    set_status(packed, PACKED_BITS, int(place.name), PURPOSES[purpose])
        return bytes(packed)

    def _check_message(self, credential: Mapping[str, Any], reference: StatusReference, address: str) -> None:
        value = self._messages.read(reference, address)
        if value:
            said = find_message(credential, reference, value + PURPOSES[MESSAGE] - 1)
            raise FacadeStatusError(f"The credential's issuer has a message about it: {said and said[1]}.")

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
