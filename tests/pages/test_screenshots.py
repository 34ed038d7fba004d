"""Takes screenshots of every page and state into build/screenshots, and those of the README.

`make screenshots` runs this alone.
"""

from pathlib import Path

import pytest
from PIL import Image

from tests.support.application import ROOT
from tests.support.page_stories import Site

# A story waits up to a minute for each step, and the first story also builds the pages.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

SHOTS = ROOT / "build" / "screenshots"
FOR_README = SHOTS / "readme"
README_BYTES = 150_000
"""The README's pictures are loaded with it, so they are stored with a palette of 256 colors."""
PEOPLE = {"desktop": ["buyer861", "buyer862", "buyer863"], "phone": ["buyer864", "buyer865", "buyer866"]}


@pytest.mark.parametrize("size", PEOPLE)
async def test_every_state_is_shown_in_each_theme_and_language(site: Site, size: str) -> None:
    empty_folder(SHOTS / size)
    seen = await site.run("takingScreenshots", SHOTS / size, people=PEOPLE[size], size=size)
    assert seen == {"taken": len([*(SHOTS / size).glob("*.png")]), "faults": {}}


async def test_pictures_of_the_readme_are_small(site: Site) -> None:
    empty_folder(FOR_README)
    await site.run("takingPicturesForReadme", FOR_README)
    pictures = sorted(FOR_README.glob("*.png"))
    for picture in pictures:
        with Image.open(picture) as opened:
            reduced = opened.convert("RGB").quantize(256)
        reduced.save(picture, optimize=True)
    assert [picture.stem for picture in pictures] == ["catalog", "queue", "tickets"]
    assert max(picture.stat().st_size for picture in pictures) <= README_BYTES


def empty_folder(folder: Path) -> None:
    """Create the folder, and delete the pictures of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in folder.glob("*.png"):
        picture.unlink()
