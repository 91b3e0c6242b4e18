"""A key for one subject's data, and the numbered keys under which such keys are stored."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.errors import ServiceError
from service.keys.files import create_private_file

NONCE_SIZE, NUMBER_SIZE = 12, 4
_Seal = Callable[[bytes, bytes], bytes]


class KeystoreError(ServiceError):
    """The keystore cannot be opened or a sealed value cannot be read."""

    code = "keystore_unusable"


def seal(aead: AESGCM, data: bytes, context: bytes) -> bytes:
    """Encrypt under a fresh nonce, which comes first."""
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + aead.encrypt(nonce, data, context)


def unseal(aead: AESGCM, sealed: bytes, context: bytes) -> bytes:
    """Open what ``seal`` made.

    Raises:
        KeystoreError: Altered, or sealed with another key or for another context.
    """
    try:
        return aead.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], context)
    except (InvalidTag, ValueError):
        raise KeystoreError("Wrong passphrase, or the stored value was altered.") from None


class DataKey:
    """The key of one subject, opened. Nobody keeps it: what destroys the wrapped key must end every use of it."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, data: bytes, *, context: str) -> bytes:
        """Encrypt for storage; only ``unseal`` with the same context opens it."""
        return seal(self._aead, data, context.encode())

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Open what ``seal`` made; errors as the function ``unseal``."""
        return unseal(self._aead, sealed, context.encode())


class WrappingKeys:
    """Keys that wrap data keys. The newest wraps; an older one opens what it wrapped until it is destroyed.

    Args:
        directory: Of the keystore, which may be shared by several processes.
        protect: Seals a file's content for a context.
        reveal: Opens what ``protect`` made.
    """

    def __init__(self, directory: Path, protect: _Seal, reveal: _Seal) -> None:
        self._directory, self._protect, self._reveal = directory, protect, reveal
        self._opened: dict[int, AESGCM] = {}

    def list_numbers(self) -> list[int]:
        """Return the numbers of all keys, oldest first."""
        return sorted(int(path.stem.removeprefix("wrapping-")) for path in self._directory.glob("wrapping-*.key"))

    def create(self) -> int:
        """Make the next key and return its number; of two processes at once, both get the same one."""
        number = max(self.list_numbers(), default=0) + 1
        create_private_file(self._path(number), self._protect(secrets.token_bytes(32), _label(number)))
        return number

    def destroy(self, number: int) -> None:
        """Delete a key: what only it can open is lost, in every copy of the database."""
        self._opened.pop(number, None)
        os.unlink(self._path(number))

    def superseded_at(self, number: int) -> float:
        """Return when the next key was made, in seconds of the epoch; the newest has none."""
        return self._path(min(each for each in self.list_numbers() if each > number)).stat().st_mtime

    def wrap_new(self, context: bytes) -> bytes:
        """Make a data key and return it wrapped."""
        return self._wrap(AESGCM.generate_key(256), context)

    def wrap_again(self, wrapped: bytes, context: bytes) -> bytes:
        """Wrap the same data key under the newest key."""
        return self._wrap(self._unwrap(wrapped, context), context)

    def open(self, wrapped: bytes, context: bytes) -> DataKey:
        """Open a wrapped data key.

        Raises:
            KeystoreError: Its wrapping key was destroyed, or it was altered or wrapped for another context.
        """
        return DataKey(self._unwrap(wrapped, context))

    def _wrap(self, key: bytes, context: bytes) -> bytes:
        number = max(self.list_numbers(), default=0) or self.create()
        return number.to_bytes(NUMBER_SIZE, "big") + seal(self._get(number), key, context)

    def _unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        return unseal(self._get(read_number(wrapped)), wrapped[NUMBER_SIZE:], context)

    def _get(self, number: int) -> AESGCM:
        if number not in self._opened:
            try:
                content = self._path(number).read_bytes()
            except FileNotFoundError:
                raise KeystoreError("The key that wraps this value is not here any more.") from None
            self._opened[number] = AESGCM(self._reveal(content, _label(number)))
        return self._opened[number]

    def _path(self, number: int) -> Path:
        return self._directory / f"wrapping-{number}.key"


def read_number(wrapped: bytes) -> int:
    """Return the number of the key that wrapped a data key."""
    return int.from_bytes(wrapped[:NUMBER_SIZE], "big")


def _label(number: int) -> bytes:
    return f"wrapping key {number}".encode()
