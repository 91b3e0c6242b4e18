"""Tell the story: print a line per step, keep every step for the report, remember what went wrong."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text


@dataclass
class Step:
    """One step: who did what, how long it took, whether it came out as told, and pictures for the report.

    Attributes:
        shown: Name of a picture in the report template, with its values in ``values``.
    """

    number: int
    actor: str
    title: str
    started_at: datetime
    milliseconds: float = 0.0
    outcome: str = ""
    as_told: bool = False
    details: list[str] = field(default_factory=list)
    shown: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def expect(self, condition: bool, outcome: str) -> None:
        """State how the step ended and whether that is what the story says."""
        self.as_told = condition
        self.outcome = outcome

    def picture(self, name: str, **values: Any) -> None:
        """Choose the picture of this step in the report."""
        self.shown = name
        self.values = values


_COLOURS = {"operator": "white", "issuer": "cyan", "investor": "magenta", "platform": "blue", "anyone": "yellow"}


class Storyteller:
    """Prints to a console and collects the steps."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.steps: list[Step] = []

    @contextmanager
    def step(self, actor: str, title: str) -> Iterator[Step]:
        """Time one step and print it when it is over; a step that raises is printed as failed."""
        step = Step(len(self.steps) + 1, actor, title, datetime.now(UTC))
        started = time.perf_counter()
        try:
            yield step
        except Exception as error:
            step.expect(False, f"{type(error).__name__}: {error}")
            raise
        finally:
            step.milliseconds = (time.perf_counter() - started) * 1000
            self.steps.append(step)
            step.number = len(self.steps)  # in the order in which they end: two may run at once
            self._print(step)

    def _print(self, step: Step) -> None:
        line = Text()
        line.append(f"{step.number:>2}  ", style="dim")
        line.append(f"{step.actor:<9}", style=_COLOURS.get(step.actor, "white"))
        line.append(f"{step.milliseconds:>7.0f} ms  ", style="dim")
        line.append("ok   " if step.as_told else "WRONG", style="green" if step.as_told else "bold red")
        line.append(f" {step.title}: ")
        line.append(step.outcome, style="bold" if step.as_told else "bold red")
        self.console.print(line, soft_wrap=True)
        for detail in step.details:
            self.console.print(Text(f"{'':28}{detail}", style="dim"), soft_wrap=True)

    @property
    def came_true(self) -> bool:
        """Whether every step came out as told."""
        return bool(self.steps) and all(step.as_told for step in self.steps)


def merge_checks(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each named check once, for pictures: the first that did not pass stands for its name."""
    merged: dict[str, dict[str, Any]] = {}
    for check in checks:
        known = merged.setdefault(check["check"], check)
        if known["outcome"] == "pass":
            merged[check["check"]] = check
    return list(merged.values())
