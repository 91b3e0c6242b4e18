"""Reading scenario files, JSON or YAML, into plain values with exact decimals.

YAML is read from the parser's events instead of its nodes: numbers keep their literal, names stay unique, ``NO`` stays
a country, and 10^5 scenarios need no second tree in memory.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import yaml

from service.errors import MalformedError
from service.rules.schema import BadLiteral, is_day

_INT = re.compile(r"[+-]?[0-9]{1,4000}")
_DECIMAL = re.compile(r"[+-]?[0-9]+\.[0-9]*|[+-]?\.[0-9]+")
_INEXACT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+|[+-]?\.?inf(inity)?|\.?nan", re.IGNORECASE)
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


class ScenarioFileError(MalformedError):
    """A scenario file that cannot be read at all."""

    code = "scenario_file_unreadable"


def parse_scenario_text(text: str) -> Any:
    """Parse a scenario file; JSON if it starts with a brace, else YAML.

    Numeric literals become ``int`` or ``Decimal``; those that are no exact decimal become :class:`BadLiteral`, which
    every field refuses with its path.

    Raises:
        ScenarioFileError: Neither JSON nor YAML, or a name occurs twice in an object.
    """
    try:
        return _parse_json(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else _parse_yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ScenarioFileError(f"not a readable scenario file: {' '.join(str(error).split())[:200]}") from error


def _parse_json(text: str) -> Any:
    try:
        return json.loads(
            text,
            parse_int=_parse_int,
            parse_float=_parse_decimal,
            parse_constant=BadLiteral,
            object_pairs_hook=_build_unique,
        )
    except json.JSONDecodeError:
        return _parse_yaml(text)  # YAML's flow style starts with a brace as well


def _parse_int(literal: str) -> int | BadLiteral:
    return int(literal) if _INT.fullmatch(literal) else BadLiteral(literal)


def _parse_decimal(literal: str) -> Decimal | BadLiteral:
    return BadLiteral(literal) if "e" in literal or "E" in literal else Decimal(literal)


def _build_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ScenarioFileError("a name occurs twice in one object")
    return values


def _parse_yaml(text: str) -> Any:
    parser = yaml.CSafeLoader(text)
    try:
        return _YamlReader(parser).read_document()
    finally:
        parser.dispose()


def _parse_plain(text: str) -> Any:
    """Resolve a plain scalar as YAML 1.2's core schema does, with decimals instead of floats."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789iInN":
        return text
    if _INT.fullmatch(text):
        return int(text)
    if is_day(text):
        return date.fromisoformat(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    return BadLiteral(text) if _INEXACT.fullmatch(text) else text


class _YamlReader:
    """Builds values straight from parse events."""

    def __init__(self, parser: yaml.CSafeLoader) -> None:
        self._next: Callable[[], Any] = parser.get_event
        self._anchors: dict[str, Any] = {}

    def read_document(self) -> Any:
        self._next()  # stream start
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        value = self._read(self._next())
        self._next()  # document end
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise ScenarioFileError("a scenario file holds one document")
        return value

    def _read(self, event: Any) -> Any:
        if isinstance(event, yaml.ScalarEvent):
            value = _parse_plain(event.value) if event.implicit[0] else event.value
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._read_mapping()
        elif isinstance(event, yaml.SequenceStartEvent):
            value = list(self._read_entries())
        else:
            return self._find_anchor(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _find_anchor(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise ScenarioFileError("an alias names no earlier value")
        return self._anchors[event.anchor]

    def _read_entries(self) -> Iterator[Any]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._read(event)

    def _read_mapping(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise ScenarioFileError("a name must be a string")
            if event.value in values:
                raise ScenarioFileError(f"the name {event.value} occurs twice in one object")
            values[event.value] = self._read(self._next())
        return values
