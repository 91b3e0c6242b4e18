"""Two kinds of plot: ratios with their spread and aim, and lines over sizes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.report.svg import LogScale, document, line, log_ticks, mark, path, text, upright, write_value

_ROW, _LABELS, _WIDTH = 26, 330, 760
_PANEL_WIDTH, _PANEL_HEIGHT, _LEFT, _TOP, _BOTTOM = 360, 250, 60, 34, 76


@dataclass(frozen=True, slots=True)
class Spread:
    """One ratio: median and extremes over the rounds, of one series."""

    series: str
    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class RatioLine:
    """A line of the plot of ratios.

    Attributes:
        label: What was measured.
        aim: Where the ratio should be; None if nothing is aimed at.
        at_most: The ratio should be below the aim.
        spreads: One for each series.
    """

    label: str
    aim: float | None
    at_most: bool
    spreads: Sequence[Spread]


@dataclass(frozen=True, slots=True)
class Line:
    """A named line through points, x and y above 0."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes; ``aim`` is a level that the lines should stay below."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    aim: float | None = None


def draw_ratios(title: str, lines: Sequence[RatioLine]) -> str:
    """Draw each ratio as a mark on its spread, on one log scale, with its aim."""
    names = list(dict.fromkeys(spread.series for each in lines for spread in each.spreads))
    values = [value for each in lines for spread in each.spreads for value in (spread.low, spread.high)]
    values += [each.aim for each in lines if each.aim]
    scale = LogScale(min([*values, 0.5]) * 0.8, max([*values, 2.0]) * 1.25, _LABELS, _WIDTH - 20)
    bottom = _TOP + _ROW * len(lines)
    parts = [text(10, 18, title, style="title")]
    for tick in log_ticks(scale.low, scale.high):
        parts.append(line(scale(tick), _TOP, scale(tick), bottom, "grid"))
        parts.append(text(scale(tick), bottom + 16, write_value(tick), anchor="middle", style="quiet"))
    parts.append(line(scale(1), _TOP, scale(1), bottom, "axis"))
    for number, each in enumerate(lines):
        parts += _draw_ratio(each, names, scale, _TOP + _ROW * (number + 0.5))
    middle = (_LABELS + _WIDTH - 20) / 2
    parts.append(text(middle, bottom + 34, "measured / floor of the same run (log scale)", anchor="middle"))
    parts += _draw_legend(names, 10, bottom + 56, aim="\u2502\u25b8 aim: at least   \u25c2\u2502 aim: at most")
    return document(_WIDTH, bottom + 68, title, parts)


def _draw_ratio(each: RatioLine, names: Sequence[str], scale: LogScale, y: float) -> list[str]:
    parts = [text(10, y + 4, each.label)]
    if each.aim:
        place, arrow = scale(each.aim), "\u25c2" if each.at_most else "\u25b8"
        parts.append(line(place, y - 10, place, y + 10, "axis"))
        parts.append(text(place + (-9 if each.at_most else 2), y + 4, arrow, style="quiet"))
    for spread in each.spreads:
        number = names.index(spread.series)
        place = y + (number - (len(names) - 1) / 2) * 9
        parts.append(path([(scale(spread.low), place), (scale(spread.high), place)], number))
        parts.append(mark(scale(spread.middle), place, number))
    return parts


def _draw_legend(names: Sequence[str], x: float, y: float, *, aim: str = "") -> list[str]:
    parts = []
    for number, name in enumerate(names):
        parts += [mark(x + 5, y - 4, number), text(x + 16, y, name)]
        x += 32 + 6.6 * len(name)
    return [*parts, text(x, y, aim, style="quiet")] if aim else parts


def draw_panels(title: str, panels: Sequence[Panel]) -> str:
    """Draw panels side by side, two in a row; both axes of each are log scales."""
    parts = [text(10, 18, title, style="title")]
    for number, panel in enumerate(panels):
        row, column = divmod(number, 2)
        parts += _draw_panel(panel, 10 + column * (_PANEL_WIDTH + 20), 30 + row * (_PANEL_HEIGHT + 20))
    rows = -(-len(panels) // 2)
    return document(2 * _PANEL_WIDTH + 40, 30 + rows * (_PANEL_HEIGHT + 20), title, parts)


def _draw_panel(panel: Panel, x: float, y: float) -> list[str]:
    points = [point for each in panel.lines for point in each.points]
    across = _scale([point[0] for point in points], x + _LEFT, x + _PANEL_WIDTH - 15)
    levels = [point[1] for point in points] + ([panel.aim] if panel.aim else [])
    up = _scale(levels, y + _PANEL_HEIGHT - _BOTTOM, y + _TOP)
    left, right, top, bottom = x + _LEFT, x + _PANEL_WIDTH - 15, y + _TOP, y + _PANEL_HEIGHT - _BOTTOM
    parts = [text(left, y + 20, panel.title, style="title"), line(left, bottom, right, bottom, "axis")]
    parts += [
        text(across(tick), bottom + 16, write_value(tick), anchor="middle", style="quiet")
        for tick in log_ticks(across.low, across.high)
    ]
    for tick in log_ticks(up.low, up.high):
        parts.append(line(left, up(tick), right, up(tick), "grid"))
        parts.append(text(left - 6, up(tick) + 4, write_value(tick), anchor="end", style="quiet"))
    if panel.aim:
        parts.append(line(left, up(panel.aim), right, up(panel.aim), "aim"))
        parts.append(text(left + 4, up(panel.aim) - 4, f"aim {write_value(panel.aim)}", style="quiet"))
    for number, each in enumerate(panel.lines):
        places = [(across(a), up(b)) for a, b in each.points]
        parts += [path(places, number), *(mark(a, b, number) for a, b in places)]
    parts.append(text((left + right) / 2, bottom + 34, f"{panel.x_label} (log scale)", anchor="middle", style="quiet"))
    parts.append(upright(x + 14, (top + bottom) / 2, f"{panel.y_label} (log scale)"))
    return parts + _draw_legend([each.name for each in panel.lines], left, bottom + 58)


def _scale(values: Sequence[float], start: float, end: float) -> LogScale:
    """Return a scale with room around the values, and some height even where all are alike."""
    return LogScale(min(values) / 1.3, max(values) * 1.3, start, end)
