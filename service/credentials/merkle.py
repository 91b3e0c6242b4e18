"""Hashes and proofs of an append-only Merkle tree.

A proof is a list of hashes of ranges of leaves. Which ranges is a matter of numbers alone; their hashes come from
wherever the tree is kept (``service.credentials.tlog_tiles``).

Source: RFC 6962, section 2.1; RFC 9162, section 2.1 (the algorithms that verify).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.errors import VerificationError

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


class InclusionProofError(VerificationError):
    """The proof does not lead from the leaf to the root."""

    code = "inclusion_proof_invalid"
    check = "inclusion"


class ConsistencyProofError(VerificationError):
    """The larger tree does not begin with the smaller one."""

    code = "consistency_proof_invalid"
    check = "consistency"


@dataclass(frozen=True, slots=True)
class Span:
    """The leaves from ``start`` up to and without ``end``."""

    start: int
    end: int


def hash_leaf(entry: bytes) -> bytes:
    """Return the hash of a leaf.

    Source: RFC 6962, section 2.1.
    """
    return hashlib.sha256(b"\x00" + entry).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node.

    Source: RFC 6962, section 2.1.
    """
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_point(size: int) -> int:
    """Return the largest power of two below ``size``, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def find_inclusion_spans(index: int, size: int) -> list[Span]:
    """Return the spans whose hashes prove that leaf ``index`` is in a tree of ``size`` leaves, the leaf's end first.

    Source: RFC 6962, section 2.1.1.
    """
    spans: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split_point(end - start)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def find_consistency_spans(old_size: int, new_size: int) -> list[Span]:
    """Return the spans whose hashes prove that a tree of ``new_size`` leaves begins with one of ``old_size``.

    Args:
        old_size: From 1 to ``new_size``.

    Source: RFC 6962, section 2.1.2.
    """
    spans: list[Span] = []
    start, end = 0, new_size
    whole = True
    while old_size != end:
        middle = start + split_point(end - start)
        if old_size <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start, whole = middle, False
    return ([] if whole else [Span(start, end)]) + spans[::-1]


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of an inclusion proof: the neighbour, on which side it stands, and the hash of both together."""

    sibling: bytes
    sibling_is_left: bool
    result: bytes


def follow_path(leaf_hash: bytes, *, index: int, size: int, proof: Sequence[bytes]) -> Iterator[PathStep]:
    """Yield the steps by which an inclusion proof leads from a leaf to a root.

    Raises:
        InclusionProofError: No proof of this length belongs to that place.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise InclusionProofError("The leaf is not within the tree.")
    node, last, root = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            raise InclusionProofError("The inclusion proof is too long.")
        is_left = bool(node & 1 or node == last)
        root = hash_children(sibling, root) if is_left else hash_children(root, sibling)
        yield PathStep(sibling, is_left, root)
        while is_left and not node & 1 and node:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    if last:
        raise InclusionProofError("The inclusion proof is too short.")


def compute_root(leaf_hash: bytes, *, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to.

    Raises:
        InclusionProofError: No proof of this length belongs to that place.
    """
    root = leaf_hash
    for step in follow_path(leaf_hash, index=index, size=size, proof=proof):
        root = step.result
    return root


def verify_inclusion(leaf_hash: bytes, *, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Check that a leaf is at its index in the tree with that root.

    Raises:
        InclusionProofError: It is not, as far as this proof shows.

    Source: RFC 9162, section 2.1.3.2.
    """
    if compute_root(leaf_hash, index=index, size=size, proof=proof) != expected_root:
        raise InclusionProofError("The inclusion proof leads to another root.")


def verify_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the new tree begins with the old one; every tree begins with the empty one.

    Raises:
        ConsistencyProofError: It does not, as far as this proof shows.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 0 <= old_size <= new_size:
        raise ConsistencyProofError("The tree became smaller.")
    if old_size in (0, new_size):
        same = old_root == (EMPTY_ROOT if old_size == 0 else new_root)
        if proof or not same:
            raise ConsistencyProofError("Two trees of one size differ, or come with a proof.")
        return
    if _fold_consistency(old_size, old_root, new_size, proof) != (old_root, new_root):
        raise ConsistencyProofError("The consistency proof leads to other roots.")


def _fold_consistency(old_size: int, old_root: bytes, new_size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a proof leads to, for 0 < old_size < new_size."""
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        raise ConsistencyProofError("The consistency proof is too short.")
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ConsistencyProofError("The consistency proof is too long.")
        if node & 1 or node == last:
            old, new = hash_children(sibling, old), hash_children(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = hash_children(new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ConsistencyProofError("The consistency proof is too short.")
    return old, new
