"""Which poster belongs to which demo concert."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image

from domain.images.image import RenderedSize
from images.encoding import encode_sizes
from images.posters import motifs
from images.posters.canvas import Canvas, Palette

Motif = Callable[[Canvas, Palette, int, Random], None]

_DUSK = Palette("#2b2d6b", "#12122f", "#3b3f8f", "#ff9e5e", "#ffe3b3")
_NEON = Palette("#1a0b3b", "#07041a", "#5a2bd6", "#ff3fa4", "#6df2ff")
_RUST = Palette("#f2d8b3", "#d9a066", "#8a2f1f", "#e4572e", "#fff3dc")
_MOSS = Palette("#dfe9d2", "#7fa07a", "#2f4f3a", "#e8b44f", "#f8f5e6")
_SEA = Palette("#bfe3e6", "#0d4f63", "#1f7a8c", "#ffcf56", "#fdf6e3")
_ICE = Palette("#274c77", "#0b1f3a", "#6096ba", "#a3cef1", "#f4fbff")
_ROSE = Palette("#5b1a3a", "#1f0a1a", "#8c2f55", "#ffc14f", "#ffe9d6")
_GOLD = Palette("#fbe9c6", "#e7b75f", "#7a4b12", "#c8102e", "#fffaf0")
_SLATE = Palette("#55606e", "#20262e", "#364350", "#7fd1c7", "#e9f1f2")
_SUN = Palette("#ff9a76", "#2a2250", "#5d3a7a", "#ffd166", "#fff1d0")
_BRICK = Palette("#efe6dd", "#c9a58a", "#9c4a2f", "#22333b", "#fffaf3")
_PINE = Palette("#123c3a", "#061a1b", "#1f6659", "#f4a259", "#f7f3e3")


@dataclass(frozen=True, slots=True)
class Design:
    motif: Motif
    palette: Palette
    count: int
    alt: str


DESIGNS = {
    "lantern-ferry-royal-albert-hall": Design(motifs.water, _DUSK, 10, "Ten lanterns on dark water under a low sun."),
    "north-of-neon-the-o2": Design(motifs.orbits, _NEON, 7, "Neon comets that circle a pink sun."),
    "marrow-and-tin-brixton": Design(motifs.rings, _RUST, 2, "Two red discs with grooves, like drums from above."),
    "vesna-korda-paradiso": Design(motifs.tracks, _ROSE, 3, "Three tram lines that turn together, with stops."),
    "polder-kings-ziggo-dome": Design(motifs.pipes, _GOLD, 7, "Seven golden pipes, the tallest in the middle."),
    "aldahir-quartet-concertgebouw": Design(motifs.strings, _RUST, 4, "Four strings that swing under a bow."),
    "tidal-organ-elbphilharmonie": Design(motifs.pipes, _SEA, 11, "Organ pipes in the colors of a harbor."),
    "kaltfront-philharmonie-berlin": Design(motifs.crystals, _ICE, 4, "Four snow crystals on a blue night."),
    "odile-marchetti-olympia": Design(motifs.windows, _ROSE, 22, "Houses at night with twenty-two lit windows."),
    "continental-drift-accor-arena": Design(motifs.rings, _NEON, 3, "Three violet records that shine in neon light."),
    "golden-hour-musikverein": Design(motifs.rings, _GOLD, 1, "A record of gold and red that turns."),
    "petrichor-ancienne-belgique": Design(motifs.rain, _SLATE, 6, "Slanting rain that makes rings on the ground."),
    "cinder-county-red-rocks": Design(motifs.ridges, _SUN, 5, "Ridges of violet rock under a yellow sun."),
    "rosalind-pike-ryman": Design(motifs.ridges, _MOSS, 4, "Green ridges one behind the other."),
    "pacific-standard-hollywood-bowl": Design(motifs.beams, _SUN, 9, "Beams of light over the waves of a violet sea."),
    "hollow-saints-fillmore": Design(motifs.rings, _PINE, 2, "Two green drums with orange middles."),
    "little-engines-bowery-ballroom": Design(motifs.tracks, _BRICK, 4, "Four subway lines that turn together."),
    "maple-signal-massey-hall": Design(motifs.beams, _RUST, 7, "Waves of a broadcast that fan out from a red mast."),
    "southern-almanac-sydney": Design(motifs.orbits, _SEA, 12, "Twelve bodies on rings around a yellow sun."),
    "paper-comets-budokan": Design(motifs.orbits, _ROSE, 5, "Five comets on their way around a golden sun."),
    "moss-and-echo-suntory-hall": Design(motifs.strings, _MOSS, 13, "Thirteen strings on a green ground."),
    "alpenglow-hallenstadion": Design(motifs.ridges, _ROSE, 5, "Red mountains in the last light."),
    "night-trams-forum-karlin": Design(motifs.tracks, _NEON, 6, "Six neon tram lines through the night."),
    "kold-havn-store-vega": Design(motifs.water, _ICE, 2, "Two lights on cold water under a pale sun."),
    "fjordlines-oslo-spektrum": Design(motifs.ridges, _ICE, 6, "Blue slopes of a fjord, one behind the other."),
    "grey-herons-nospr": Design(motifs.strings, _BRICK, 8, "Eight strings before a disc of brick red."),
    "signals-from-the-archipelago-helsinki": Design(motifs.beams, _PINE, 11, "The beams of a lighthouse over the sea."),
    "saudade-machine-casa-da-musica": Design(motifs.water, _SUN, 5, "Five lights on the water after sunset."),
    "copper-choir-avicii-arena": Design(motifs.pipes, _RUST, 15, "Fifteen copper pipes, the tallest in the middle."),
    "ember-and-oak-3arena": Design(motifs.windows, _PINE, 14, "A street at night with fourteen warm windows."),
}
"""The designs by the slug of the concert."""

_EFFORT = 1
"""Flat shapes need few bytes anyway, and the start of a demo should not take long."""


def draw(slug: str) -> Image.Image:
    """Return the poster of a demo concert, the same one at every call. Raises KeyError."""
    design = DESIGNS[slug]
    canvas = Canvas(design.palette.top, design.palette.bottom)
    design.motif(canvas, design.palette, design.count, Random(slug))  # noqa: S311 - a poster may be predictable
    return canvas.finish()


def render(slug: str) -> tuple[RenderedSize, ...]:
    """Return the sizes of a poster. Takes about 50 ms, so call it in a thread. Raises KeyError."""
    return encode_sizes(draw(slug), effort=_EFFORT)
