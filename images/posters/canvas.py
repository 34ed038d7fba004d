"""A canvas for shapes, in units of a poster that is 800 wide and 1,000 tall. It is drawn at twice
that size and then reduced, so that edges are smooth.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

WIDTH, HEIGHT = 800, 1_000
_SCALE = 2

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """Five colors, as `#rrggbb`."""

    top: str
    bottom: str
    main: str
    accent: str
    light: str


class Canvas:
    def __init__(self, top: str, bottom: str) -> None:
        """Start with a background that changes from one color at the top to another."""
        ramp = Image.linear_gradient("L").resize((1, HEIGHT * _SCALE))
        self._image = ImageOps.colorize(ramp, top, bottom).resize(
            (WIDTH * _SCALE, HEIGHT * _SCALE), Image.Resampling.NEAREST
        )
        self._draw = ImageDraw.Draw(self._image)

    def disc(self, center: Point, radius: float, color: str) -> None:
        self._draw.ellipse(_around(center, radius), fill=color)

    def ring(self, center: Point, radius: float, color: str, *, width: float) -> None:
        self._draw.ellipse(_around(center, radius), outline=color, width=round(width * _SCALE))

    def arc(self, center: Point, radius: float, angles: tuple[float, float], color: str, *, width: float) -> None:
        self._draw.arc(_around(center, radius), *angles, fill=color, width=round(width * _SCALE))

    def bar(self, left_top: Point, right_bottom: Point, color: str, *, radius: float = 0) -> None:
        box = (*_scaled(left_top), *_scaled(right_bottom))
        self._draw.rounded_rectangle(box, radius * _SCALE, fill=color)

    def polygon(self, points: Iterable[Point], color: str) -> None:
        self._draw.polygon([_scaled(point) for point in points], fill=color)

    def line(self, points: Sequence[Point], color: str, *, width: float) -> None:
        """Draw a line with round joints and ends."""
        self._draw.line([_scaled(point) for point in points], fill=color, width=round(width * _SCALE), joint="curve")
        for end in (points[0], points[-1]):
            self.disc(end, width / 2, color)

    def finish(self) -> Image.Image:
        return self._image.reduce(_SCALE)


def mix(first: str, second: str, share: float) -> str:
    """Return a color between two; `share` is the share of the second."""
    pairs = [(int(first[i : i + 2], 16), int(second[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _scaled(point: Point) -> Point:
    return point[0] * _SCALE, point[1] * _SCALE


def _around(center: Point, radius: float) -> tuple[float, float, float, float]:
    (x, y), r = _scaled(center), radius * _SCALE
    return x - r, y - r, x + r, y + r
