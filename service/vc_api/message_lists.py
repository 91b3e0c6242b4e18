"""Status lists of the façade's issuers whose entries carry messages: one list for each set of messages.

As with the other lists, there is a file for each place that was given out; beside their folder lies what is said.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from service.credentials.bitstring_status_list import (
    ENTRY_TYPES,
    MESSAGE,
    encode_bitstring,
    read_status_entries,
    write_bitstring,
)
from service.credentials.credential import StatusReference
from service.vc_api.status_errors import FacadeStatusError

CAPACITY = 131_072
_LISTS = "messages"


@dataclass(frozen=True, slots=True)
class MessageList:
    """What an issuer's list for one set of messages says.

    Attributes:
        encoded_list: As ``encode_bitstring`` writes it.
        size: Bits of one entry.
        messages: As ``statusMessage`` names them.
    """

    encoded_list: str
    size: int
    messages: Sequence[Mapping[str, Any]]


class MessageLists:
    """The lists of all of the façade's issuers.

    Args:
        folder: Where places are kept.
        prefix: What the addresses of the façade's lists begin with.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder / _LISTS
        self._prefix = prefix

    def add_entry(self, fragment: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return an entry at a fresh place.

        Args:
            fragment: Names the issuer.
            options: Untrusted; ``statusMessage``, one for each value of one bit or more, and a ``statusReference``.

        Raises:
            StatusReferenceError: These are not what an entry may say.
        """
        messages = options.get("statusMessage")
        size = max(1, (len(messages) - 1).bit_length()) if isinstance(messages, list) else 1
        name = f"{MESSAGE}-{sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()[:16]}"
        address = f"{self._prefix}{fragment}/{name}"
        entry = {
            "type": ENTRY_TYPES[0],
            "statusPurpose": MESSAGE,
            "statusListIndex": "0",
            "statusListCredential": address,
            "statusSize": size,
            "statusMessage": messages,
            **({"statusReference": options["statusReference"]} if "statusReference" in options else {}),
        }
        read_status_entries({"credentialStatus": entry})
        index = self._allocate(fragment, name, {"size": size, "messages": messages})
        return entry | {"id": f"{address}#{index}", "statusListIndex": str(index)}

    def read(self, reference: StatusReference, address: str) -> int:
        """Return what an entry is set to; raises FacadeStatusError where none was given out."""
        return int(self._find(reference, address).read_text(encoding="ascii"))

    def change(self, reference: StatusReference, address: str, *, value: int, size: int) -> None:
        """Set an entry; raises FacadeStatusError where none was given out, or it has no such value."""
        if not 0 <= value < 2**size:
            raise FacadeStatusError("The entry has no such value.")
        self._find(reference, address).write_text(str(value), encoding="ascii")

    def build(self, fragment: str, name: str) -> MessageList | None:
        """Return what a list says; None if there is no such list."""
        folder = self._folder / fragment / name
        if not name.replace("-", "").isalnum() or not folder.is_dir():
            return None
        terms = json.loads(folder.with_suffix(".json").read_bytes())
        values = {int(place.name): int(place.read_text(encoding="ascii")) for place in folder.iterdir()}
        encoded = encode_bitstring(write_bitstring(values, terms["size"]))
        return MessageList(encoded, terms["size"], terms["messages"])

    def _allocate(self, fragment: str, name: str, terms: Mapping[str, Any]) -> int:
        folder = self._folder / fragment / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.with_suffix(".json").write_text(json.dumps(terms), encoding="utf-8")
        while True:
            index = secrets.randbelow(CAPACITY)
            with suppress(FileExistsError), (folder / str(index)).open("x", encoding="ascii") as place:
                place.write("0")
                return index

    def _find(self, reference: StatusReference, address: str) -> Path:
        fragment, _, name = address.removeprefix(self._prefix).partition("/")
        place = self._folder / fragment / name / str(reference.index)
        if not fragment.isalnum() or not name.replace("-", "").isalnum() or not place.exists():
            raise FacadeStatusError("The façade has given out no such place in a list.")
        return place
