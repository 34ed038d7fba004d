"""Every demo concert has a poster, which is the same at every start."""

import orjson
import pytest

from bench.clients.catalog import CONCERTS_FILE
from domain.images.image import ImageChange, image_id_of
from domain.images.problems import image_problems
from images.posters.designs import DESIGNS, render

SLUGS = [concert["slug"] for concert in orjson.loads(CONCERTS_FILE.read_bytes())]
ONE_PER_MOTIF = list({DESIGNS[slug].motif: slug for slug in SLUGS}.values())


def test_each_demo_concert_has_its_own_poster() -> None:
    assert set(DESIGNS) == set(SLUGS)
    looks = {(design.motif, design.palette, design.count) for design in DESIGNS.values()}
    assert len(looks) == len({design.alt for design in DESIGNS.values()}) == len(SLUGS)


def test_each_poster_has_a_valid_alternative_text() -> None:
    for design in DESIGNS.values():
        assert list(image_problems(ImageChange(image_id_of(b"poster"), design.alt))) == []


@pytest.mark.parametrize("slug", ONE_PER_MOTIF)
def test_poster_is_the_same_at_every_start(slug: str) -> None:
    sizes = render(slug)
    assert [(size.width, size.height) for size in sizes] == [(320, 400), (800, 1_000)]
    assert render(slug) == sizes
