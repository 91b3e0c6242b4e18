"""The story as one HTML file with pictures, no script and nothing loaded from elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from service.demo.storyteller import Step


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def write_report(path: Path, steps: Sequence[Step], *, came_true: bool, told_at: datetime) -> None:
    """Render the steps; everything that came from outside is escaped."""
    environment = Environment(
        loader=PackageLoader("service.demo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["svg"] = Markup  # only for our own QR drawings
    environment.filters["plain"] = _plain
    template = environment.get_template("report.html")
    slowest = max((step.milliseconds for step in steps), default=1.0)
    page = template.render(steps=steps, came_true=came_true, told_at=told_at, slowest=slowest)
    path.write_text(page, encoding="utf-8")
