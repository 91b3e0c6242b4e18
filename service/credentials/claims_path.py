"""Claims path pointers: which parts of a JSON credential a query means."""

from collections.abc import Mapping
from typing import Any

ClaimsPath = tuple[str | int | None, ...]
"""Names, array positions, and None for every element of an array; never empty."""


def select_claims(claims: Mapping[str, Any], path: ClaimsPath) -> list[Any]:
    """Return the elements of ``claims`` that ``path`` selects; empty where the rules say "error".

    Source: OpenID4VP 1.0, section 7.1.1.
    """
    selected: list[Any] = [claims]
    for component in path:
        container = dict if isinstance(component, str) else list
        if not all(isinstance(element, container) for element in selected):
            return []
        selected = [child for element in selected for child in _children(element, component)]
    return selected


def _children(element: Any, component: str | int | None) -> list[Any]:
    if component is None:
        return list(element)
    if isinstance(component, str):
        return [element[component]] if component in element else []
    return [element[component]] if component < len(element) else []


def touches(path: ClaimsPath, location: tuple[str | int, ...]) -> bool:
    """Tell whether the value at ``location`` is needed for, or part of, what ``path`` selects."""
    return all(
        isinstance(place, int) if component is None else component == place
        for component, place in zip(path, location, strict=False)
    )
