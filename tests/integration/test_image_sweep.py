"""Images that no concert uses are removed after a day; images in use never are."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.concerts import ConcertChange
from domain.errors import InvalidInput
from domain.ids import PersonId
from domain.images.image import ImageChange, ImageId, RenderedSize, image_id_of
from resolvers.concerts import create_concert, update_concert
from storage.connect import Stores
from tests.support.sale import draft, organizer
from workers.images.sweep import KEPT_UNUSED, ImageSweepWorker

OLIVIA = PersonId("olivia")
LATER = KEPT_UNUSED + timedelta(hours=1)


def worker_at(offset: timedelta) -> ImageSweepWorker:
    return ImageSweepWorker(clock=lambda: datetime.now(UTC) + offset)


async def store(stores: Stores, name: str) -> ImageId:
    """Store an image with one size, whose file has the name as its content."""
    image_id = image_id_of(name.encode())
    await stores.images.write(image_id, [RenderedSize(10, 10, name.encode())], uploaded_by=OLIVIA)
    return image_id


async def stored_names(stores: Stores) -> set[bytes]:
    """Return the contents of all parts of files."""
    return {bytes(part["data"]) async for part in stores.mongo["image_files.chunks"].find({})}


async def test_unused_image_is_removed_after_a_day(stores: Stores) -> None:
    used, unused = await store(stores, "used"), await store(stores, "unused")
    await create_concert(organizer(stores), draft(1, image=ImageChange(used, "A hall.")))

    assert await worker_at(KEPT_UNUSED - timedelta(hours=1)).run_once(stores) == 0
    assert await stored_names(stores) == {b"used", b"unused"}
    assert await worker_at(LATER).run_once(stores) == 1
    assert await stored_names(stores) == {b"used"}
    assert await stores.images.find_needed(unused) is None
    assert await stores.images.count_bytes(OLIVIA) == len(b"used")


async def test_image_stays_for_a_day_after_a_concert_drops_it(stores: Stores) -> None:
    old, new = await store(stores, "old"), await store(stores, "new")
    concert = await create_concert(organizer(stores), draft(1, image=ImageChange(old, "A hall.")))
    await stores.mongo["images"].update_one({"_id": old}, {"$set": {"neededAt": datetime.now(UTC) - 2 * KEPT_UNUSED}})
    await worker_at(timedelta()).run_once(stores)
    change = ConcertChange(image=ImageChange(new, "A park."))
    await update_concert(organizer(stores), concert.id, change, expected_version=None)

    assert await worker_at(timedelta(hours=1)).run_once(stores) == 0
    assert await worker_at(LATER).run_once(stores) == 1
    assert await stored_names(stores) == {b"new"}


async def test_chosen_image_is_kept_by_a_sweep_that_found_it_unused(stores: Stores) -> None:
    image_id = await store(stores, "chosen")
    stored = await stores.images.find_needed(image_id)
    assert stored is not None
    found_unused_before = datetime.now(UTC)
    assert await stores.images.find_needed(image_id) == stored

    assert not await stores.images.remove(stored, needed_before=found_unused_before)
    assert await stored_names(stores) == {b"chosen"}


async def test_removed_image_cannot_be_chosen(stores: Stores) -> None:
    image_id = await store(stores, "gone")
    assert await worker_at(LATER).run_once(stores) == 1
    with pytest.raises(InvalidInput) as caught:
        await create_concert(organizer(stores), draft(1, image=ImageChange(image_id, "A hall.")))
    assert [problem.path for problem in caught.value.problems] == ["imageId"]


async def test_files_without_an_image_are_removed_after_a_day(stores: Stores) -> None:
    await store(stores, "kept")
    await store(stores, "lost")
    await stores.mongo["images"].delete_one({"_id": image_id_of(b"lost")})
    await stores.mongo["image_files.chunks"].insert_one(
        {"_id": "x:0", "files_id": "x", "n": 0, "data": b"part", "storedAt": datetime.now(UTC)}
    )
    await create_concert(organizer(stores), draft(1, image=ImageChange(image_id_of(b"kept"), "A hall.")))

    assert await worker_at(timedelta()).run_once(stores) == 0
    assert await worker_at(LATER).run_once(stores) == 2
    assert await stored_names(stores) == {b"kept"}


async def test_file_that_is_stored_again_survives_the_sweep(stores: Stores) -> None:
    image_id = await store(stores, "again")
    (entry,) = await stores.images.list_after(None, limit=10)
    before = datetime.now(UTC)
    await store(stores, "again")
    await stores.mongo["images"].update_one({"_id": image_id}, {"$set": {"neededAt": before - timedelta(days=9)}})

    assert await stores.images.remove(entry.image, needed_before=before)
    assert await stored_names(stores) == {b"again"}
