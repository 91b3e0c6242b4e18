"""A log of the test's own, which signs whatever the test wants, and what it sends to a witness."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.credentials.merkle import EMPTY_ROOT, Span, find_consistency_spans, hash_leaf
from service.credentials.signed_note import Checkpoint, VerifierKey, format_checkpoint, sign_note
from service.credentials.tlog_tiles import extend_tiles, hash_span
from service.credentials.tlog_witness import format_add_checkpoint


class SmallLog:
    """A tree in memory under a key; two of one name and other leaves are a fork."""

    def __init__(self, name: str = "log.example/a", *, leaf: bytes = b"leaf", seed: int = 1) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self._leaf = leaf
        self.key = VerifierKey(name, self._private.public_key().public_bytes_raw())

    def _hash(self, size: int, spans: Sequence[Span]) -> list[bytes]:
        tiles = extend_tiles(0, {}, [hash_leaf(self._leaf + bytes([n])) for n in range(size)])
        return [hash_span(span, tiles) for span in spans]

    def sign(self, size: int, *, root: bytes | None = None) -> str:
        root = root or (self._hash(size, [Span(0, size)])[0] if size else EMPTY_ROOT)
        return sign_note(format_checkpoint(Checkpoint(self.key.name, size, root)), self.key, self._private.sign)

    def prove(self, old: int, new: int) -> list[bytes]:
        return self._hash(new, find_consistency_spans(old, new)) if old else []

    def ask(self, old: int, new: int) -> bytes:
        """The request that takes a witness from one size to another."""
        return format_add_checkpoint(old, self.prove(old, new), self.sign(new))
