"""Linked data in its canonical form, with nothing lost on the way and a bound on the work.

Contexts come from a fixed set and are never fetched. What a document may look like is settled by
``linked_data_shape`` first; then it is expanded, everything that would fall away is refused, and the RDF that is left
is canonicalized under a budget.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from math import factorial
from typing import Any

from cachetools import LRUCache
from pyld.canon import URDNA2015
from pyld.context_resolver import ContextResolver
from pyld.jsonld import JsonLdProcessor

from service.credentials.linked_data_errors import (
    ContextUnknownError,
    DataLossError,
    DocumentTooComplexError,
    LinkedDataInvalidError,
)
from service.credentials.linked_data_shape import check_shape, list_contexts
from service.credentials.resource_digest import check_digests
from service.errors import VerificationError

# Each unit is one order in which alike blank nodes are tried, about 0.1 ms; seven alike ones have 5040 orders.
MAX_WORK = 1500
MAX_BLANK_NODES = 100
_MAX_INLINE_TERMS = 20

_IRI = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>"{}|\\^`]+')
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
# The library writes these as they are, the standard as escapes; no credential needs one.
_UNESCAPED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NODE_KEYWORDS = frozenset({"@id", "@type", "@graph"})
_VALUE_KEYWORDS = frozenset({"@value", "@type", "@language", "@direction"})
_INLINE_KEYWORDS = frozenset({"@protected", "@vocab"})


class Contexts:
    """The JSON-LD contexts that documents may name.

    Not for several threads at once: what was understood of a context is kept for the next document.

    Args:
        documents: Context document by URL, as it is published.
        inline: Whether a document may also define terms in its own ``@context``, for public test suites. They are
            signed, yet give a member whatever meaning its author likes.
    """

    def __init__(self, documents: Mapping[str, bytes], *, inline: bool = False) -> None:
        self._published = documents
        self._documents = {url: json.loads(content) for url, content in documents.items()}
        self._inline = inline
        self._resolved: LRUCache[str, Any] = LRUCache(maxsize=100)

    def check(self, document: Mapping[str, Any]) -> None:
        """Check that the contexts of a document, and of those inside it, are known.

        Raises:
            ContextUnknownError: None, or another one.

        Source: VC Data Integrity 1.0, section 4.6 (context validation).
        """
        for entry in list_contexts(document):
            if isinstance(entry, dict) and self._inline:
                _check_inline_context(entry.get("@context", entry))
            elif not isinstance(entry, str) or entry not in self._documents:
                raise ContextUnknownError("The document names a context that isn't known here.")
        for name in ("verifiableCredential", "proof"):
            members = document.get(name, [])
            for member in members if isinstance(members, list) else [members]:
                if isinstance(member, dict) and "@context" in member:
                    self.check(member)

    def check_related(self, document: Mapping[str, Any]) -> None:
        """Check the digests of those related resources that are contexts known here; others aren't retrieved.

        Raises:
            RelatedResourceError: A digest is another, or cannot be read.

        Source: VCDM 2.0, section 5.3.
        """
        related = document.get("relatedResource", [])
        for entry in related if isinstance(related, list) else [related]:
            if entry["id"] in self._published:
                check_digests(entry, self._published[entry["id"]])

    def options(self) -> dict[str, Any]:
        """Return how the JSON-LD library must work: no base, no loading, directions kept."""
        resolver = ContextResolver(self._resolved, self._load)
        # With an empty text for a base, the library makes one up, and what is relative looks absolute.
        return {
            "base": None,
            "contextResolver": resolver,
            "rdfDirection": "i18n-datatype",
            "documentLoader": self._load,
        }

    def _load(self, url: str, _options: Mapping[str, Any]) -> dict[str, Any]:
        if url not in self._documents:
            raise ContextUnknownError("The document names a context that isn't known here.")
        return {"contextUrl": None, "documentUrl": url, "document": self._documents[url], "tag": "static"}


def canonicalize_rdf(
    document: Mapping[str, Any], contexts: Contexts, digest: Callable[[], Any] = hashlib.sha256
) -> bytes:
    """Return the canonical N-Quads of a JSON-LD document.

    Args:
        document: Parsed from strict JSON; not changed.
        contexts: The only contexts it may name.
        digest: Makes the hash by which nodes without an identifier are told apart.

    Raises:
        LinkedDataInvalidError: See ``check_shape``; or the library finds it invalid, as with a protected term that is
            defined anew.
        ContextUnknownError: See ``Contexts``.
        DataLossError: Something would not be signed: an undefined term or type, a relative identifier.
        DocumentTooComplexError: Too large, or its blank nodes are too alike.

    Source: RDF Dataset Canonicalization 1.0, section 4; JSON-LD 1.1 API, sections 5 and 7; VC Data Integrity 1.0,
        section 2.4.1.
    """
    check_shape(document)
    contexts.check(document)
    try:
        return _canonicalize(document, contexts, digest).encode()
    except VerificationError:
        raise
    except Exception as error:  # the library wasn't written for hostile input; whatever it meets, nothing is signed
        # What was refused inside the library comes out wrapped.
        if isinstance(error.__cause__, VerificationError):
            raise error.__cause__ from None
        raise LinkedDataInvalidError("The document isn't valid JSON-LD.") from error


def _canonicalize(document: Mapping[str, Any], contexts: Contexts, digest: Callable[[], Any]) -> str:
    processor = JsonLdProcessor(on_property_dropped=_refuse_term)
    options = contexts.options()
    expanded = processor.expand(document, options)
    _check_expanded(expanded)
    dataset = processor.to_rdf(expanded, options)
    for graph, triples in dataset.items():
        if not graph.startswith(("@", "_:")):
            raise LinkedDataInvalidError("The document names a graph.")
        for triple in triples:
            _check_triple(triple)
    canonical: str = _BoundedCanonicalization(digest).main(dataset, {"format": "application/n-quads"})
    return canonical


class _BoundedCanonicalization(URDNA2015):  # type: ignore[misc]  # the library has no types
    """RDFC-1.0, which was named URDNA2015 before, with its budget."""

    def __init__(self, digest: Callable[[], Any]) -> None:
        super().__init__()
        self._digest = digest
        self._work = 0

    def create_hash(self) -> Any:
        """Make the hash that everything is hashed with."""
        return self._digest()

    def create_hash_to_related(self, id_: str, issuer: Any) -> dict[str, list[str]]:
        """Group the neighbours of a blank node; the caller then tries every order of each group."""
        if len(self.blank_node_info) > MAX_BLANK_NODES:
            raise DocumentTooComplexError("The document has too many nodes without an identifier.")
        groups: dict[str, list[str]] = super().create_hash_to_related(id_, issuer)
        self._work += 1 + sum(factorial(len(group)) for group in groups.values())
        if self._work > MAX_WORK:
            raise DocumentTooComplexError("The document's nodes without an identifier are too alike.")
        return groups


def _check_inline_context(context: Any) -> None:
    if not isinstance(context, dict):
        raise ContextUnknownError("The document's own context isn't an object.")
    for term, meaning in context.items():
        if term == "@protected" and isinstance(meaning, bool):
            continue
        if term == "@vocab" and meaning is None:
            continue
        if not term.startswith("@") and isinstance(meaning, str) and _IRI.fullmatch(meaning):
            continue
        raise ContextUnknownError("The document's own context does more than to define terms.")
    if len(context) > _MAX_INLINE_TERMS:
        raise DocumentTooComplexError(f"The document's own context has more than {_MAX_INLINE_TERMS} terms.")


def _refuse_term(_iri: str | None) -> None:
    raise DataLossError("The document has a member that its contexts don't define.")


def _check_expanded(value: Any) -> None:
    """Refuse what would not become RDF."""
    if isinstance(value, list):
        for item in value:
            _check_expanded(item)
    elif "@value" in value:
        if not _VALUE_KEYWORDS.issuperset(value):
            raise DataLossError("A value carries more than its type, language or direction.")
    elif "@list" in value:
        _check_expanded(value["@list"])
    else:
        _check_node(value)


def _check_node(node: Mapping[str, Any]) -> None:
    for iri in [*node.get("@type", []), *([node["@id"]] if "@id" in node else [])]:
        if not _IRI.fullmatch(iri):
            raise DataLossError("An identifier or type isn't an absolute IRI in the document's contexts.")
    for name, members in node.items():
        if name.startswith("@"):
            if name not in _NODE_KEYWORDS:
                raise DataLossError("The document uses a keyword that its RDF would not show.")
            if name != "@graph":
                continue
        _check_expanded(members)


def _check_triple(triple: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse text that would end an N-Quads term early, or that the library writes in another way than the standard."""
    for term in triple.values():
        text = term["value"]
        if term["type"] == "IRI" and not _IRI.fullmatch(text):
            raise DataLossError("An identifier isn't an absolute IRI.")
        if term["type"] == "literal":
            if _UNESCAPED.search(text):
                raise LinkedDataInvalidError("A text holds a control character.")
            if "language" in term and not _LANGUAGE.fullmatch(term["language"]):
                raise LinkedDataInvalidError("A language isn't a language tag.")
            if not _IRI.fullmatch(term["datatype"]):
                raise LinkedDataInvalidError("A datatype isn't an absolute IRI.")
