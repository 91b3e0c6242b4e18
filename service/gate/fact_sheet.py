"""Facts with their sources, under the scenario format's names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from service.rules.facts import InvalidFactsError
from service.rules.schema import read_shape
from service.rules.transfer_schema import TRANSFER

Source = Mapping[str, Any]
_PATHS_KEPT = 2_000  # there are some hundred; a preview may ask for others
_AS_THEY_ARE = frozenset((str, bool, type(None)))


@dataclass(frozen=True, slots=True)
class Section:
    """The facts below one name, worked out before: sheets begin with them, and nobody changes them.

    Attributes:
        values: As the rules read them.
        encoded: As a bundle keeps them.
        sources: By path.
    """

    values: Mapping[str, Any]
    encoded: Mapping[str, Any]
    sources: Mapping[str, Source]


@dataclass(slots=True)
class FactSheet:
    """What the rules are given, and where each value came from.

    Attributes:
        values: Nested mappings, as ``evaluate_transfer`` takes them.
        sources: Path to source, for every value set.
        begun: By name, the sections that it began with.
    """

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    begun: dict[str, Section] = field(default_factory=dict)

    def begin(self, name: str, section: Section) -> None:
        """Set the facts below a name to those of a section; what is set afterwards replaces some."""
        # What is nested may be changed here, which must not reach the section.
        self.values[name] = {
            each: dict(value) if type(value) is dict else value for each, value in section.values.items()
        }
        self.sources.update(section.sources)
        self.begun[name] = section

    def put(self, path: str, value: Any, source: Source) -> None:
        """Set the fact at a dotted path; a later source replaces an earlier one."""
        parents, name = _split(path)
        level = self.values
        for parent in parents:
            level = level.setdefault(parent, {})
        level[name] = value
        self.sources[path] = source

    def withhold(self, path: str) -> None:
        """Take out a fact, or everything below a name."""
        parents, name = _split(path)
        level = self.values
        for parent in parents:
            level = level.get(parent, {})
        level.pop(name, None)
        for each in [each for each in self.sources if each == path or each.startswith(f"{path}.")]:
            del self.sources[each]

    def put_all(self, prefix: str, values: Mapping[str, Any], source: Source) -> None:
        """Set many values below ``prefix`` at once."""
        if not values:
            return
        level = self.values
        for name in prefix.split("."):
            level = level.setdefault(name, {})
        level.update(values)
        self.sources.update(dict.fromkeys([f"{prefix}.{name}" for name in values], source))

    def put_claims(self, prefix: str, values: Mapping[str, Any], source: Source) -> None:
        """Set every value that its fact can hold; what an issuer wrote in another form stays absent."""
        read = {}
        for name, value in values.items():
            try:
                read[name] = read_fact(f"{prefix}.{name}", value)
            except InvalidFactsError:
                continue
        self.put_present(prefix, read, source)

    def put_present(self, prefix: str, values: Mapping[str, Any], source: Source) -> None:
        """Set every value that is not None below ``prefix``."""
        self.put_all(prefix, {name: value for name, value in values.items() if value is not None}, source)

    def put_attributes(self, prefix: str, said: object, names: Iterable[str], source: Source) -> None:
        """Set every attribute of these names that is not None below ``prefix``."""
        self.put_present(prefix, {name: getattr(said, name) for name in names}, source)


def settle_facts(sheet: FactSheet) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a sheet's facts as JSON values, and as the rules read these: so a replay starts from what was decided on.

    Raises:
        InvalidFactsError: As ``decode_facts``.
    """
    fresh = {name: _find_fresh(value, sheet.begun.get(name)) for name, value in sheet.values.items()}
    encoded = encode_facts(fresh)
    read = decode_facts(encoded)
    for name, section in sheet.begun.items():
        kept = sheet.values.get(name, {}).keys() - fresh.get(name, {}).keys()
        encoded[name] = {each: section.encoded[each] for each in kept} | encoded.get(name, {})
        read[name] = {each: section.values[each] for each in kept} | read.get(name, {})
    return encoded, read


def _find_fresh(value: Any, section: Section | None) -> Any:
    """Return what is not just as the section has it."""
    if section is None:
        return value
    known = section.values
    return {name: each for name, each in value.items() if name not in known or not _is_same(each, known[name])}


def _is_same(value: Any, known: Any) -> bool:
    if type(value) is not dict or type(known) is not dict:
        return value is known
    return value.keys() == known.keys() and all(each is known[name] for name, each in value.items())


def make_section(name: str, sheet: FactSheet) -> Section:
    """Make a section of the facts below a name.

    Raises:
        InvalidFactsError: As ``decode_facts``.
    """
    encoded, read = settle_facts(sheet)
    return Section(read[name], encoded[name], sheet.sources)


def encode_facts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON values of the scenario format; civil dates and numbers are text and lose no digit."""
    return {name: value if type(value) in _AS_THEY_ARE else _encode(value) for name, value in values.items()}


def _encode(value: Any) -> Any:
    if isinstance(value, dict):
        return encode_facts(value)
    if isinstance(value, list | tuple):
        return [_encode(each) for each in value]
    return encode_scalar(value)


def encode_scalar(value: Any) -> Any:
    """Return one value as JSON: a civil date or a number as text."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, date) else format(value, "f" if isinstance(value, Decimal) else "d")


def decode_facts(encoded: Any) -> dict[str, Any]:
    """Return what ``evaluate_transfer`` takes.

    Raises:
        InvalidFactsError: An unknown field or a value of the wrong kind, with its path.
    """
    facts: dict[str, Any] = read_shape(encoded, TRANSFER, "facts")
    return facts


def read_fact(path: str, value: Any) -> Any:
    """Read one JSON value as the fact at a dotted path.

    Raises:
        InvalidFactsError: There is no such fact, or the value is of the wrong kind.
    """
    shape = _find_shape(path)
    if shape is None:
        raise InvalidFactsError(f"{path}: unknown field")
    return read_shape(value, shape, path)


@lru_cache(_PATHS_KEPT)
def _split(path: str) -> tuple[tuple[str, ...], str]:
    *parents, name = path.split(".")
    return tuple(parents), name


@lru_cache(_PATHS_KEPT)
def _find_shape(path: str) -> Any:
    shape: Any = TRANSFER
    for name in path.split("."):
        shape = shape.get(name) if isinstance(shape, dict) else None
    return shape
