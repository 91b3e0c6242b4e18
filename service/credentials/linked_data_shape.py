"""What a linked-data document may look like before a JSON-LD processor sees it.

Many JSON documents make the same RDF: a processor drops nulls and empty arrays, flattens nested arrays, and takes an
absolute IRI for the term that stands for it. Whatever isn't part of what is signed would be an unsigned claim to the
reader of the JSON, so only one way of writing is let through.
"""

from collections.abc import Mapping
from typing import Any

from service.credentials.linked_data_errors import (
    ContextUnknownError,
    DocumentTooComplexError,
    LinkedDataInvalidError,
)

# A JSON-LD processor takes about 0.1 ms for each value, once for every proof. A credential of ours has about 40.
MAX_VALUES = 500
MAX_ITEMS = 100
MAX_DEPTH = 20
MAX_CONTEXTS = 10
MAX_CHARACTERS = 131_072
_LARGEST_EXACT = 2**53 - 1
_KEYWORDS = frozenset({"@value", "@language", "@direction"})  # of a language value object
_CONTEXT_HOLDERS = frozenset({"verifiableCredential", "proof"})


def check_shape(document: Mapping[str, Any]) -> None:
    """Check that a document has one meaning, as JSON and as RDF, and is no larger than a credential needs to be.

    Args:
        document: Parsed from strict JSON.

    Raises:
        LinkedDataInvalidError: A null, an empty or nested array, a member that is an IRI or a keyword, a context below
            the top level that isn't a credential's or a proof's, or a number that isn't exact everywhere.
        DocumentTooComplexError: More values, items, characters or levels than the limits.

    Source: VC Data Integrity 1.0, sections 2.4.1 and 5.9 (losing nothing); VCDM 2.0, section 11.1 (keywords).
    """
    _Census().take(document, depth=1, may_hold_context=True)


class _Census:
    def __init__(self) -> None:
        self._values = 0
        self._characters = 0

    def take(self, value: Any, *, depth: int, may_hold_context: bool = False) -> None:
        self._count(1)
        if depth > MAX_DEPTH:
            raise DocumentTooComplexError(f"The document nests deeper than {MAX_DEPTH}.")
        if isinstance(value, Mapping):
            self._take_object(value, depth, may_hold_context)
        elif isinstance(value, list):
            self._take_array(value, depth, may_hold_context)
        elif isinstance(value, str):
            self._count(0, len(value))
        else:
            _check_scalar(value)

    def _take_object(self, value: Mapping[str, Any], depth: int, may_hold_context: bool) -> None:
        for name, member in value.items():
            self._count(0, len(name))
            if name == "@context" and may_hold_context:
                continue  # contexts have rules of their own
            if name not in _KEYWORDS and (not name or "@" in name or ":" in name):
                raise LinkedDataInvalidError(f"The member {name!r} isn't a plain term.")
            self.take(member, depth=depth + 1, may_hold_context=name in _CONTEXT_HOLDERS)

    def _take_array(self, value: list[Any], depth: int, may_hold_context: bool) -> None:
        if not value:
            raise LinkedDataInvalidError("An empty array would not be part of what is signed.")
        if len(value) > MAX_ITEMS:
            raise DocumentTooComplexError(f"An array has more than {MAX_ITEMS} items.")
        for item in value:
            if isinstance(item, list):
                raise LinkedDataInvalidError("An array in an array would not be signed as such.")
            self.take(item, depth=depth + 1, may_hold_context=may_hold_context)

    def _count(self, values: int, characters: int = 0) -> None:
        self._values += values
        self._characters += characters
        if self._values > MAX_VALUES or self._characters > MAX_CHARACTERS:
            raise DocumentTooComplexError("The document is larger than a credential needs to be.")


def _check_scalar(value: Any) -> None:
    if value is None:
        raise LinkedDataInvalidError("A null would not be part of what is signed.")
    if isinstance(value, int) and abs(value) > _LARGEST_EXACT:
        raise LinkedDataInvalidError("A number is too large to be exact everywhere.")


def list_contexts(document: Mapping[str, Any]) -> list[Any]:
    """Return the entries of a document's ``@context``.

    Raises:
        ContextUnknownError: There is none.
        DocumentTooComplexError: More than ``MAX_CONTEXTS``.
    """
    context = document.get("@context")
    entries = context if isinstance(context, list) else [context]
    if context is None or not entries:
        raise ContextUnknownError("The document has no @context.")
    if len(entries) > MAX_CONTEXTS:
        raise DocumentTooComplexError(f"The document names more than {MAX_CONTEXTS} contexts.")
    return entries
