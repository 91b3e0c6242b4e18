"""Investor tests that ask for several of a list of criteria."""

from collections.abc import Callable

from service.rules.facts import MissingFactError
from service.rules.worksheet import Worksheet


def meets_enough(sheet: Worksheet, needed: int, *criteria: Callable[[], bool]) -> bool:
    """Tell whether at least ``needed`` of the criteria are met, and note how many are.

    Raises:
        MissingFactError: The answer turns on a criterion that cannot be read: the first such.
    """
    met, missing = 0, []
    for is_met in criteria:
        try:
            met += is_met()
        except MissingFactError as error:
            missing.append(error)
    sheet.note("met", met)
    sheet.explain("{met} of {all} criteria are met; {needed} are needed", met=met, all=len(criteria), needed=needed)
    if met < needed <= met + len(missing):
        raise missing[0]
    return met >= needed
