"""A comparison of past trades with the rules as one HTML file: no script, nothing loaded from elsewhere."""

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from service.cli.shadow_comparison import KINDS
from service.cli.shadow_text import describe_example, describe_setting, list_rows

_WIDEST_CELL, _WIDEST_BAR = 85, 320
_MOST_BARS, _MOST_ROWS = 12, 60
_TONES = {
    ("settled", "permit"): "good",
    ("settled", "deny"): "bad",
    ("rejected", "permit"): "bad",
    ("rejected", "deny"): "good",
}


def write_report(path: Path, compared: Mapping[str, Any], *, file: str, written_at: datetime) -> None:
    """Render a comparison; everything that came from the file is escaped."""
    loader = ChoiceLoader([PackageLoader("service.cli"), PackageLoader("service.demo")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"rows": lambda rows: list_rows(rows, _MOST_ROWS), "example": describe_example}
    page = environment.get_template("shadow.html").render(
        compared=compared,
        file=file,
        written_at=written_at,
        setting=describe_setting(compared),
        matrix=_draw_matrix(compared["matrix"]),
        bars=_draw_bars(compared["groups"]),
        kinds=[
            (KINDS[kind].capitalize(), list(groups))
            for kind, groups in groupby(compared["groups"], key=lambda group: group["kind"])
        ],
    )
    path.write_text(page, encoding="utf-8")


def _draw_matrix(matrix: Mapping[str, Mapping[str, int]]) -> list[tuple[str, list[dict[str, Any]]]]:
    most = max((number for numbers in matrix.values() for number in numbers.values()), default=0) or 1
    return [
        (
            happened,
            [
                {
                    "number": number,
                    "line": line,
                    "tone": _TONES.get((happened, outcome), "open"),
                    "width": max(round(_WIDEST_CELL * number / most), 3),
                }
                for outcome, number in numbers.items()
            ],
        )
        for line, (happened, numbers) in enumerate(matrix.items())
    ]


def _draw_bars(groups: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the largest groups of trades that do not agree."""
    differing = [group for group in groups if not group["kind"].startswith("both_")]
    largest = sorted(differing, key=lambda group: -group["count"])[:_MOST_BARS]
    most = max((group["count"] for group in largest), default=1)
    return [
        {
            "label": _name_bar(group),
            "number": group["count"],
            "tone": "bad" if group["kind"] in {"settled_denied", "rejected_permitted"} else "open",
            "width": max(round(_WIDEST_BAR * group["count"] / most), 2),
        }
        for group in largest
    ]


def _name_bar(group: Mapping[str, Any]) -> str:
    missing = group["example"].get("evidence", {}).get("field")
    return f"{missing} missing" if missing else group["code"] or KINDS[group["kind"]]
