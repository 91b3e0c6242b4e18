"""What rules say in English, said in the language of a page: ``languages/wordings/<language>.json``, by the English."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from service.console.translation import FOLDER, find_text, translate


@cache
def load_wordings(language: str) -> Mapping[str, str]:
    """Return what a language says otherwise than the rules do, by the rules' own wording."""
    words: dict[str, str] = json.loads((FOLDER / "wordings" / f"{language}.json").read_text(encoding="utf-8"))
    return words


def say_wording(language: str, wording: str) -> str:
    """Say a wording of a rule; what no rule says, such as an officer's own words, stays as it is."""
    return load_wordings(language).get(wording, wording)


def find_wording(language: str, said: str, wordings: Iterable[str]) -> str:
    """Return the one of a rule's wordings that is said so in a language; what none is stays as it is."""
    return next((each for each in wordings if say_wording(language, each) == said), said)


def say_step(language: str, step: Mapping[str, Any]) -> str:
    """Say a line of the working.

    Args:
        step: A :class:`service.rules.worksheet.Step` as a mapping.
    """
    values = {name: say_wording(language, value) for name, value in step["values"].items()}
    wording = step["wording"]
    label = find_text(language, f"figures.{wording}") or say_wording(language, wording).format(**values)
    if step["holds"] is None:
        return label
    holds = step["holds"]
    if not step["comparison"]:
        return translate(language, "cases.step_yes" if holds else "cases.step_no", label=label)
    comparison = step["comparison"].replace(">=", "≥").replace("<=", "≤")
    return translate(language, "cases.step_holds" if holds else "cases.step_fails", label=label, comparison=comparison)
