"""The motifs of the posters. Each draws a scene in the colors of a palette; `count` varies it, as
each motif says, and `chance` places what looks better when irregular.
"""

import math
from random import Random

from images.posters.canvas import HEIGHT, WIDTH, Canvas, Palette, Point, mix


def water(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """A low sun over waves, with `count` lanterns on the water."""
    canvas.disc((WIDTH / 2, 430), 210, mix(palette.accent, palette.top, 0.55))
    canvas.disc((WIDTH / 2, 430), 165, palette.accent)
    for row in range(9):
        y, shade = 520 + row * row * 6.5 + row * 4, mix(palette.main, palette.bottom, row / 8)
        canvas.polygon([*_wave(y, 7 + row * 2.4, row), (WIDTH, HEIGHT), (0, HEIGHT)], shade)
    for number in range(count):
        x, depth = WIDTH * (number + 0.5) / count + chance.uniform(-24, 24), chance.uniform(0.2, 1)
        y = 560 + 330 * depth
        canvas.disc((x, y), 17 * (0.5 + depth), mix(palette.light, palette.main, 0.6))
        canvas.disc((x, y), 10 * (0.5 + depth), palette.light)


def rings(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """`count` discs with grooves, like records or drums seen from above."""
    del chance
    places = {1: [(400.0, 500.0, 330.0)], 2: [(300.0, 360.0, 235.0), (520.0, 700.0, 215.0)]}.get(
        count, [(400.0, 500.0, 330.0), (650.0, 190.0, 105.0), (140.0, 850.0, 95.0)]
    )
    for x, y, radius in places:
        canvas.disc((x, y), radius, palette.main)
        for step in range(1, 9):
            shade = mix(palette.main, palette.light, 0.1 + 0.05 * (step % 3))
            canvas.ring((x, y), radius * (1 - step * 0.075), shade, width=3)
        canvas.arc((x, y), radius * 0.82, (200, 250), palette.light, width=6)
        canvas.arc((x, y), radius * 0.82, (20, 70), palette.light, width=6)
        canvas.disc((x, y), radius * 0.34, palette.accent)
        canvas.disc((x, y), radius * 0.05, palette.light)


def tracks(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """`count` lines that turn together at right angles, with stops, like a map of tram lines."""
    colors = (palette.main, palette.accent, palette.light)
    gap, width = 46, 26
    for number in range(count):
        color, shift = colors[number % 3], (number - (count - 1) / 2) * gap
        points: list[Point] = [(-40, 250 + shift)]
        points += _corner((430 - shift, 250 + shift), 90, -90)
        points += _corner((430 - shift, 720 + shift), 90, 90)
        canvas.line([*points, (WIDTH + 40, 720 + shift)], color, width=width)
        for x, y in ((110 + chance.randrange(3) * 70, 250 + shift), (620 + chance.randrange(3) * 60, 720 + shift)):
            canvas.disc((x, y), width * 0.78, palette.bottom)
            canvas.disc((x, y), width * 0.42, color)


def ridges(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """`count` mountain ridges one behind the other, below a sun or a moon, and stars."""
    for _ in range(40):
        canvas.disc((chance.uniform(0, WIDTH), chance.uniform(0, 420)), chance.uniform(0.8, 2.6), palette.light)
    canvas.disc((560, 300), 120, palette.accent)
    for ridge in range(count):
        share = ridge / max(1, count - 1)
        y, points = 430 + 400 * share, list[Point]()
        for step in range(9):
            peak = chance.uniform(40, 170) if step % 2 else chance.uniform(-20, 20)
            points.append((WIDTH * step / 8, y - peak * (1.15 - share * 0.5)))
        far, near = mix(palette.main, palette.light, 0.4), mix(palette.main, palette.bottom, 0.55)
        canvas.polygon([*points, (WIDTH, HEIGHT), (0, HEIGHT)], mix(far, near, share))


def rain(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """Slanting rain that makes `count` rings on the ground."""
    for _ in range(110):
        x, y, length = chance.uniform(-60, WIDTH), chance.uniform(-40, 700), chance.uniform(40, 130)
        color = mix(palette.top, palette.light, chance.uniform(0.25, 0.9))
        canvas.line([(x, y), (x + length * 0.32, y + length)], color, width=chance.choice((3, 4, 6)))
    canvas.polygon([(0, 730), (WIDTH, 690), (WIDTH, HEIGHT), (0, HEIGHT)], palette.main)
    for number in range(count):
        x, y = 100 + 600 * number / max(1, count - 1), 790 + 130 * (number * 5 % count) / count
        for ring in range(3):
            canvas.ring((x, y), 16 + ring * 19, mix(palette.accent, palette.main, ring / 3.6), width=5)
        canvas.disc((x, y), 7, palette.accent)


def strings(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """`count` strings that swing at different pitches, and the bow across them."""
    del chance
    canvas.disc((400, 520), 345, mix(palette.main, palette.top, 0.35))
    canvas.disc((400, 520), 280, palette.main)
    for number in range(count):
        x, nodes = 400 + (number - (count - 1) / 2) * min(110, 560 / count), number % 4 + 1
        swing = [(x + 15 * math.sin(math.pi * nodes * y / 1_000), y) for y in range(-10, 1_011, 10)]
        mirrored = [(2 * x - at, y) for at, y in swing]
        canvas.line(mirrored, mix(palette.light, palette.main, 0.55), width=4)
        canvas.line(swing, palette.light, width=6)
    canvas.line([(40, 790), (770, 610)], palette.accent, width=18)
    canvas.line([(48, 822), (775, 642)], mix(palette.accent, palette.light, 0.7), width=5)


def orbits(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """`count` bodies on rings around a sun, each with the tail of a comet."""
    center = (400.0, 520.0)
    for number in range(count):
        radius, angle = 150 + 320 * number / count, chance.uniform(0, 360)
        canvas.ring(center, radius, mix(palette.bottom, palette.light, 0.22), width=2)
        color = (palette.accent, palette.light, palette.main)[number % 3]
        for part in range(12):
            shade = mix(palette.bottom, color, (part + 1) / 12)
            canvas.arc(center, radius + 4, (angle - 60 + part * 5, angle - 54 + part * 5), shade, width=3 + part * 0.5)
        turned = math.radians(angle)
        canvas.disc((center[0] + radius * math.cos(turned), center[1] + radius * math.sin(turned)), 15, color)
    canvas.disc(center, 98, mix(palette.accent, palette.bottom, 0.5))
    canvas.disc(center, 76, palette.accent)


def pipes(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """`count` organ pipes, tallest in the middle, with their mouths."""
    del chance
    width = WIDTH / (count + 1)
    for number in range(count):
        x, middle = width * (number + 0.5), abs(number - (count - 1) / 2) / max(1, count / 2)
        top = 150 + 430 * middle**1.4
        shade = mix(palette.main, palette.accent, 1 - middle)
        canvas.bar((x + width * 0.08, top), (x + width * 0.92, 880), shade, radius=width * 0.3)
        canvas.bar(
            (x + width * 0.2, top + 18), (x + width * 0.34, 800), mix(shade, palette.light, 0.5), radius=width * 0.07
        )
        canvas.polygon(
            [(x + width * 0.22, 800), (x + width * 0.78, 800), (x + width * 0.5, 752)], mix(palette.bottom, shade, 0.15)
        )
    canvas.bar((0, 862), (WIDTH, HEIGHT), mix(palette.bottom, palette.main, 0.35))
    canvas.bar((0, 862), (WIDTH, 876), palette.light)


def windows(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """Houses at night with `count` lit windows."""
    canvas.disc((610, 210), 84, palette.light)
    canvas.disc((578, 190), 78, mix(palette.top, palette.bottom, 0.2))
    places = list[Point]()
    for house, (top, left, right) in enumerate(((430, 0, 250), (300, 250, 460), (500, 460, 640), (370, 640, 800))):
        canvas.bar((left, top), (right, HEIGHT), mix(palette.main, palette.bottom, (house % 2) * 0.4))
        columns = (right - left) // 62
        margin = ((right - left) - columns * 62) / 2
        places += [
            (left + margin + 62 * c + 12, top + 40 + 84 * r)
            for r in range(7)
            for c in range(columns)
            if top + 84 * r < 860
        ]
    lit = set(chance.sample(range(len(places)), min(count, len(places))))
    for number, (x, y) in enumerate(places):
        color = palette.accent if number in lit else mix(palette.main, palette.bottom, 0.75)
        canvas.bar((x, y), (x + 38, y + 52), color, radius=3)


def crystals(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """`count` snow crystals of different sizes."""
    places = ((400, 430, 250), (640, 790, 120), (170, 800, 140), (120, 150, 90), (690, 140, 100))
    for number in range(count):
        x, y, size = places[number % len(places)]
        turn, color = chance.uniform(0, 60), (palette.light, palette.accent)[number % 2]
        for arm in range(6):
            angle = math.radians(turn + arm * 60)
            canvas.line([(x, y), _polar((x, y), size, angle)], color, width=size * 0.055)
            for part in (0.4, 0.62, 0.82):
                joint = _polar((x, y), size * part, angle)
                for side in (-1, 1):
                    twig = _polar(joint, size * (1.05 - part) * 0.48, angle + side * math.pi / 3)
                    canvas.line([joint, twig], color, width=size * 0.04)
    for _ in range(60):
        canvas.disc((chance.uniform(0, WIDTH), chance.uniform(0, HEIGHT)), chance.uniform(1.5, 5), palette.light)


def beams(canvas: Canvas, palette: Palette, count: int, chance: Random) -> None:
    """`count` beams of light that fan out from a stage or a lighthouse."""
    del chance
    source = (400.0, 640.0)
    for number in range(count):
        start, end = (math.radians(180 + 180 * (number + share) / count) for share in (0.14, 0.86))
        shade = mix(palette.top, (palette.accent, palette.light)[number % 2], 0.55)
        canvas.polygon([source, _polar(source, 1_200, start), _polar(source, 1_200, end)], shade)
    canvas.disc(source, 120, palette.light)
    canvas.disc(source, 84, palette.accent)
    canvas.polygon([*_wave(700, 10, 1), (WIDTH, HEIGHT), (0, HEIGHT)], palette.main)
    canvas.polygon([*_wave(800, 14, 3), (WIDTH, HEIGHT), (0, HEIGHT)], mix(palette.main, palette.bottom, 0.5))
    canvas.polygon([*_wave(900, 18, 5), (WIDTH, HEIGHT), (0, HEIGHT)], palette.bottom)


def _wave(y: float, height: float, phase: float) -> list[Point]:
    return [(x, y + height * math.sin(x / 85 + phase * 1.7)) for x in range(0, WIDTH + 20, 20)]


def _polar(center: Point, radius: float, angle: float) -> Point:
    return center[0] + radius * math.cos(angle), center[1] + radius * math.sin(angle)


def _corner(corner: Point, radius: float, turn: int) -> list[Point]:
    """Return a rounded corner: from east to south for a turn of -90, from south to east for 90."""
    x, y = corner
    if turn < 0:
        return [_polar((x - radius, y + radius), radius, math.radians(a)) for a in range(-90, 1, 10)]
    return [_polar((x + radius, y - radius), radius, math.radians(180 - a)) for a in range(0, 91, 10)]
