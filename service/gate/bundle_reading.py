"""Read a decision's bundle and receipt for somebody: who may, and what is left of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import ConflictError, ForbiddenError
from service.gate.bundle import list_keys, open_bundle
from service.storage.subject_keys import read_keys_by_id
from service.storage.tables import Transfer
from service.web.context import Context


class BundleRestrictedError(ForbiddenError):
    """The bundle holds what only callers with the compliance scope may see."""

    code = "bundle_restricted"


class BundleErasedError(ConflictError):
    """A bundle of the first format named people, and one of them was erased; the signed decision is still there."""

    code = "bundle_erased"


class ReceiptRestrictedError(ForbiddenError):
    """The receipt opens a record that only callers with the compliance scope may see."""

    code = "receipt_restricted"


@dataclass(frozen=True, slots=True)
class RecordedFact:
    """A fact that a decision was made from.

    Attributes:
        path: Its name in the scenario format.
        source: Where it came from: ``kind``, and what that kind tells.
    """

    path: str
    value: Any
    source: Mapping[str, Any]


def check_bundle_readable(transfer: Transfer, *, sees_all: bool) -> None:
    """Let through who may see everything, and everybody where nothing is withheld.

    Raises:
        BundleRestrictedError: See ``code``.
    """
    if transfer.outward_payload is not None and not sees_all:
        raise BundleRestrictedError("This bundle needs the scope compliance.")


def check_receipt_readable(transfer: Transfer, *, sees_all: bool) -> None:
    """Do as ``check_bundle_readable`` for the receipt.

    Raises:
        ReceiptRestrictedError: See ``code``.
    """
    if transfer.outward_payload is not None and not sees_all:
        raise ReceiptRestrictedError("This receipt needs the scope compliance.")


async def read_bundle(context: Context, transfer: Transfer) -> dict[str, Any]:
    """Return everything that a decision was made from, as far as the keys of its parties are there.

    Raises:
        BundleErasedError: See ``code``.
    """
    if not transfer.bundle:
        raise BundleErasedError("A party of this decision was erased, and its bundle named them.")
    bundle = json.loads(transfer.bundle)
    async with context.database.reading() as session:
        connection = await session.connection()
        keys = await read_keys_by_id(connection, context.signer, transfer.org_id, list_keys(bundle))
    return open_bundle(bundle, keys)


def list_facts(evaluation: Mapping[str, Any]) -> Iterator[RecordedFact]:
    """Yield the facts of one evaluation of a bundle with their sources, in the order of their names."""
    for path, source in sorted(evaluation["sources"].items()):
        value: Any = evaluation["facts"]
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        yield RecordedFact(path, value, source)
