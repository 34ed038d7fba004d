"""Draws the results of the simulation as SVG.

The chart shows estimated and actual waits over time, and the share of waits within the estimates.
"""

from collections.abc import Sequence
from typing import Any

PANELS_PER_ROW = 2
PANEL_W, PANEL_H = 440, 250
PLOT_X, PLOT_Y, PLOT_W, PLOT_H = 48, 34, 372, 150
HEAD_H = 78
STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.title{font-weight:600;font-size:13px}"
    ".head{font-size:16px;font-weight:600}"
    ".band{fill:#4c8dd6;fill-opacity:.35}.median{fill:none;stroke:#1f5fa8;stroke-width:1.5}.actual{fill:#d1495b}"
    ".axis{stroke:#999;fill:none}.grid{stroke:#ddd}.share{fill:#4c8dd6}.target{stroke:#d1495b;stroke-width:2}"
    ".track{fill:#eee}"
)


def draw(results: dict[str, Any]) -> str:
    names = list(results["scores"])
    rows = -(-len(names) // PANELS_PER_ROW)
    width, height = PANELS_PER_ROW * PANEL_W, HEAD_H + rows * PANEL_H
    panels = [
        f'<g transform="translate({index % PANELS_PER_ROW * PANEL_W},{HEAD_H + index // PANELS_PER_ROW * PANEL_H})">'
        f"{_panel(name, results['scores'][name], results['curves'][name])}</g>"
        for index, name in enumerate(names)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="Estimated and actual waits in {len(names)} simulated sales">',
            f'<style>{STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>',
            _text(16, 24, "Estimated and actual waits in simulated sales", "head"),
            *_legend(results["seeds"]),
            *panels,
            "</svg>\n",
        ]
    )


def _legend(seeds: Sequence[int]) -> list[str]:
    first = (
        "Line: p50. Blue area: p50 to p90. Red dots: actual waits. All for one person three quarters down the queue."
    )
    second = "Bars: share of all waits within p50 and p90. Red marks: 50% and 90%."
    return [_text(16, 44, first), _text(16, 60, f"{second} Seeds {', '.join(map(str, seeds))}.")]


def _panel(name: str, score: dict[str, float], points: Sequence[Sequence[float]]) -> str:
    last_s = max([point[0] for point in points], default=60)
    longest_s = max([max(point[3], point[4]) for point in points], default=60)

    def x(at_s: float) -> float:
        return round(PLOT_X + PLOT_W * at_s / last_s, 1)

    def y(seconds: float) -> float:
        return round(PLOT_Y + PLOT_H * (1 - seconds / longest_s), 1)

    above = [f"{x(point[0])},{y(point[3])}" for point in points]
    half = [f"{x(point[0])},{y(point[2])}" for point in points]
    dots = [f'<circle class="actual" cx="{x(point[0])}" cy="{y(point[4])}" r="2"/>' for point in points]
    return "".join(
        [
            _text(PLOT_X, 22, name, "title"),
            *_axes(last_s, longest_s, y),
            f'<polygon class="band" points="{" ".join([*above, *reversed(half)])}"/>',
            f'<polyline class="median" points="{" ".join(half)}"/>',
            *dots,
            _bar(PLOT_X, score["within_p50"], 0.5, "p50"),
            _bar(PLOT_X + 200, score["within_p90"], 0.9, "p90"),
        ]
    )


def _axes(last_s: float, longest_s: float, y: Any) -> list[str]:
    bottom = PLOT_Y + PLOT_H
    step_s = next(step for step in (60, 120, 300, 600, 1_200, 3_600, 36_000) if longest_s / step <= 6)
    lines = []
    for seconds in range(0, int(longest_s) + 1, step_s):
        at = y(seconds)
        lines.append(f'<line class="grid" x1="{PLOT_X}" x2="{PLOT_X + PLOT_W}" y1="{at}" y2="{at}"/>')
        lines.append(_text(PLOT_X - 6, at + 4, f"{seconds // 60} min", anchor="end"))
    lines.append(_text(PLOT_X, bottom + 15, "opening"))
    lines.append(_text(PLOT_X + PLOT_W, bottom + 15, f"{last_s / 60:.0f} min after the opening", anchor="end"))
    lines.append(f'<path class="axis" d="M{PLOT_X} {PLOT_Y}V{bottom}H{PLOT_X + PLOT_W}"/>')
    return lines


def _bar(left: float, share: float, target: float, label: str) -> str:
    top, width = PLOT_Y + PLOT_H + 26, 110
    mark = left + 28 + width * target
    return (
        _text(left, top + 10, label)
        + f'<rect class="track" x="{left + 28}" y="{top}" width="{width}" height="12"/>'
        + f'<rect class="share" x="{left + 28}" y="{top}" width="{width * share:.1f}" height="12"/>'
        + f'<line class="target" x1="{mark}" x2="{mark}" y1="{top - 3}" y2="{top + 15}"/>'
        + _text(left + 34 + width, top + 10, f"{share:.0%}")
    )


def _text(x: float, y: float, text: str, css_class: str = "plain", anchor: str = "start") -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{css_class}">{escaped}</text>'
