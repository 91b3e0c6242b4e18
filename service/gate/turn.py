"""What one request finds when its turn in a batch comes."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from service.gate.material import Material
from service.gate.register import TransferKey
from service.gate.rows import KeyRow
from service.keys import Signer
from service.web.signing import NoSigningKeyError


@dataclass(frozen=True, slots=True)
class Turn:
    """One transaction's view of everything.

    Attributes:
        keys: Each organisation's active gate key.
        endings: How reservations that are asked about had ended before.
    """

    connection: AsyncConnection
    material: Material
    keys: Mapping[str, KeyRow]
    endings: Mapping[TransferKey, str]
    signer: Signer

    def find_key(self, org_id: str) -> KeyRow:
        """Return the key that an organisation's decisions are signed with.

        Raises:
            NoSigningKeyError: See there.
        """
        key = self.keys.get(org_id)
        if key is None:
            raise NoSigningKeyError("The organisation has no active key for this purpose.")
        return key

    def find_ending(self, key: TransferKey) -> str:
        """Return how a reservation that is no longer held ended, before this batch or in it."""
        fresh = self.material.changes.endings
        return (
            next((each["state"] for each in fresh if (each["org_id"], each["transfer_id"]) == key), None)
            or (self.endings[key])
        )
