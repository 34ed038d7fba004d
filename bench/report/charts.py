"""Draws bar charts as SVG, readable on a light and on a dark page.

A chart has a panel for each number of sockets or connections, and each panel a bar per server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.report.tables import number

WIDTH = 760
LABEL_W = 218
BAR_W = 400
BAR_H, ROW_H = 14, 22
PANEL_HEAD_H = 30
HEAD_H = 44
MARGIN = 12
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.head{font-size:15px;font-weight:600}"
    ".panel{font-weight:600}.note{fill:#59636e}.own{font-weight:600}"
    ".bar{fill:#8c959f}.own-bar{fill:#0969da}.limit-bar{fill:none;stroke:#8c959f;stroke-dasharray:3 2}"
    ".range{stroke:#1f2328;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note{fill:#9198a1}.bar{fill:#6e7681}"
    ".own-bar{fill:#4493f8}.limit-bar{stroke:#9198a1}.range{stroke:#e6edf3}}"
)


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    median: float
    low: float
    high: float
    kind: str = ""
    """`own` for Onsale, `limit` for a program that shows a limit, otherwise empty."""


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    bars: tuple[Bar, ...]


def draw_bars(title: str, note: str, panels: Sequence[Panel]) -> str:
    """Return a chart; the bars of a panel keep their order, and all panels have the same scale."""
    longest = max(bar.high for panel in panels for bar in panel.bars) or 1.0
    height = HEAD_H + sum(_height(panel) for panel in panels) + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        _text(MARGIN, 18, title, "head"),
        _text(MARGIN, 36, note, "note"),
    ]
    top = HEAD_H
    for panel in panels:
        lines += _draw_panel(panel, top, longest)
        top += _height(panel)
    return "\n".join([*lines, "</svg>\n"])


def _height(panel: Panel) -> int:
    return PANEL_HEAD_H + ROW_H * len(panel.bars)


def _draw_panel(panel: Panel, top: int, longest: float) -> list[str]:
    lines = [_text(MARGIN, top + 20, panel.title, "panel")]
    for index, bar in enumerate(panel.bars):
        lines.append(_draw_bar(bar, top + PANEL_HEAD_H + ROW_H * index, longest))
    return lines


def _draw_bar(bar: Bar, top: int, longest: float) -> str:
    def width(value: float) -> float:
        return round(BAR_W * value / longest, 1)

    middle = top + BAR_H / 2
    low, high = LABEL_W + width(bar.low), LABEL_W + width(bar.high)
    css_class = f"{bar.kind}-bar" if bar.kind else "bar"
    return (
        _text(LABEL_W - 8, top + 11, bar.label, bar.kind or "plain", anchor="end")
        + f'<rect class="{css_class}" x="{LABEL_W}" y="{top}" width="{width(bar.median)}" height="{BAR_H}"/>'
        + f'<line class="range" x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>'
        + _text(high + 8, top + 11, number(bar.median), bar.kind or "plain")
    )


def _text(x: float, y: float, text: str, css_class: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{css_class}">{escape(text)}</text>'
