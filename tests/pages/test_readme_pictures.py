"""Takes the pictures of the README, on a server that has only the demo concerts."""

import pytest
from PIL import Image

from tests.support.application import ROOT
from tests.support.page_stories import Site, empty_folder

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

PICTURES = ROOT / "build" / "screenshots" / "readme"
MOST_BYTES = 150_000
"""The README's pictures are loaded with it, so they are stored with a palette of 256 colors."""


async def test_pictures_of_the_readme_are_small(site: Site) -> None:
    empty_folder(PICTURES)
    await site.run("takingPicturesForReadme", PICTURES)
    pictures = sorted(PICTURES.glob("*.png"))
    for picture in pictures:
        with Image.open(picture) as opened:
            reduced = opened.convert("RGB").quantize(256)
        reduced.save(picture, optimize=True)
    assert [picture.stem for picture in pictures] == ["catalog", "queue", "tickets"]
    assert max(picture.stat().st_size for picture in pictures) <= MOST_BYTES
