"""What a run found, as one JSON document; a later run of other parts adds to it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.report.machine import Machine
from tests.bench.results import Point, Row, parse_point, parse_row
from tests.bench.stages import Profile

PARTS = ("rules", "rows", "growth", "profile")
KINDS = ("none", "sqlite", "postgresql")


@dataclass
class Section:
    """What one part of a run found on one kind of database.

    Attributes:
        machine: Where and when.
        rows: Of the parts ``rules`` and ``rows``.
        points: Of the part ``growth``.
        profiles: Of the part ``profile``, by what was done.
    """

    machine: Machine
    rows: list[Row] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)


@dataclass
class Findings:
    """Every section, by kind of database (``none`` where there is none) and part."""

    sections: dict[tuple[str, str], Section] = field(default_factory=dict)

    def merge(self, other: "Findings") -> "Findings":
        """Return these with the other's sections in place of the same ones here."""
        return Findings(self.sections | other.sections)

    def list_kinds(self, part: str) -> Sequence[tuple[str, Section]]:
        """Return the sections of a part, by kind of database."""
        found = {kind: section for (kind, each), section in self.sections.items() if each == part}
        return [(kind, found[kind]) for kind in KINDS if kind in found]


def write_findings(findings: Findings, file: Path) -> None:
    """Write the document."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dump_findings(findings) + "\n")


def dump_findings(findings: Findings) -> str:
    """Return the document as text."""
    sections = [{"database": kind, "part": part, **asdict(each)} for (kind, part), each in findings.sections.items()]
    return json.dumps({"sections": sections}, indent=1)


def read_findings(file: Path) -> Findings:
    """Read the document; an empty one if there is none yet."""
    if not file.exists():
        return Findings()
    return parse_findings(json.loads(file.read_text()))


def parse_findings(document: dict[str, Any]) -> Findings:
    """Read the document."""
    return Findings({(each["database"], each["part"]): _parse_section(each) for each in document["sections"]})


def _parse_section(document: dict[str, Any]) -> Section:
    return Section(
        machine=Machine(**document["machine"]),
        rows=[parse_row(each) for each in document["rows"]],
        points=[parse_point(each) for each in document["points"]],
        profiles={what: Profile(**each) for what, each in document["profiles"].items()},
    )
