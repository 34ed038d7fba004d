"""Images in MongoDB: an entry for each, and its files in GridFS.

`neededAt` says when an image was last uploaded, chosen for a concert, or found in use. A sweep
removes images that were not needed for a while, by compare-and-set on that field. An image that an
organizer chooses at that moment is therefore either kept or reported as unknown.

A lost file cannot be made again, so all writes are acknowledged by a majority.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo import ASCENDING, ReturnDocument

from domain.ids import PersonId
from domain.images.image import ImageId, ImageSize, MediaId, RenderedSize, StoredImage, media_id_of
from storage.mongo.client import Database, Document, raises_unavailable
from storage.mongo.files.gridfs_files import GridFsFiles, StoredFile

NAME = "image_files"


@dataclass(frozen=True, slots=True)
class ImageEntry:
    image: StoredImage
    needed_at: datetime


class ImageStore:
    def __init__(self, database: Database) -> None:
        self._images = database["images"]
        self._concerts = database["concerts"]
        self._files = GridFsFiles(database, NAME, are_reproducible=False)

    async def create_indexes(self) -> None:
        """Create the indexes for finding a person's images, and the concerts that use an image."""
        await self._files.create_indexes()
        await self._images.create_index([("uploadedBy", ASCENDING)])
        has_image = {"image.id": {"$exists": True}}
        await self._concerts.create_index([("image.id", ASCENDING)], partialFilterExpression=has_image)

    @raises_unavailable
    async def find_needed(self, image_id: ImageId) -> StoredImage | None:
        """Return an image, and keep it for a while longer even if no concert uses it. Return None
        if it is not stored.
        """
        document = await self._images.find_one_and_update({"_id": image_id}, {"$max": {"neededAt": _now()}})
        return _image(document) if document else None

    @raises_unavailable
    async def write(self, image_id: ImageId, sizes: Sequence[RenderedSize], *, uploaded_by: PersonId) -> StoredImage:
        """Store an image, and return it. If it is already stored, return the stored one."""
        ids = [media_id_of(image_id, size.content) for size in sizes]
        files = [
            StoredFile(media_id, f"{media_id}.webp", {"imageId": image_id}, size.content)
            for media_id, size in zip(ids, sizes, strict=True)
        ]
        await self._files.write(files)
        entry: Document = {
            "sizes": sizes_document(
                [ImageSize(media_id, size.width, size.height) for media_id, size in zip(ids, sizes, strict=True)]
            ),
            "bytes": sum(len(size.content) for size in sizes),
            "uploadedBy": uploaded_by,
            "uploadedAt": _now(),
        }
        update = {"$setOnInsert": entry, "$max": {"neededAt": _now()}}
        return _image(
            await self._images.find_one_and_update(
                {"_id": image_id}, update, upsert=True, return_document=ReturnDocument.AFTER
            )
        )

    @raises_unavailable
    async def count_bytes(self, uploaded_by: PersonId) -> int:
        """Return the bytes of all images that a person has uploaded and that are still stored."""
        sums = self._images.aggregate(
            [{"$match": {"uploadedBy": uploaded_by}}, {"$group": {"_id": None, "bytes": {"$sum": "$bytes"}}}]
        )
        return sum([int(document["bytes"]) async for document in sums])

    @raises_unavailable
    async def read_file(self, media_id: MediaId) -> bytes | None:
        """Return one size of an image as a WebP file, or None if it is not stored."""
        return await self._files.read(media_id)

    @raises_unavailable
    async def list_after(self, image_id: ImageId | None, *, limit: int) -> tuple[ImageEntry, ...]:
        """Return the next images in the order of their ids."""
        query: Document = {} if image_id is None else {"_id": {"$gt": image_id}}
        found = self._images.find(query).sort("_id", ASCENDING).limit(limit)
        return tuple([ImageEntry(_image(document), document["neededAt"]) async for document in found])

    @raises_unavailable
    async def mark_used(self, image_ids: Sequence[ImageId]) -> set[ImageId]:
        """Return which of these images concerts use, and keep those for a while longer."""
        used = set(map(ImageId, await self._concerts.distinct("image.id", {"image.id": {"$in": list(image_ids)}})))
        if used:
            await self._images.update_many({"_id": {"$in": list(used)}}, {"$max": {"neededAt": _now()}})
        return used

    @raises_unavailable
    async def remove(self, image: StoredImage, *, needed_before: datetime) -> bool:
        """Remove an image, unless it was needed at `needed_before` or later. Return whether it was
        removed.
        """
        deleted = await self._images.delete_one({"_id": image.id, "neededAt": {"$lt": needed_before}})
        if deleted.deleted_count:
            await self._files.remove([size.media_id for size in image.sizes], stored_before=needed_before)
        return bool(deleted.deleted_count)

    @raises_unavailable
    async def remove_lost_files(
        self, after: str | None, *, stored_before: datetime, limit: int
    ) -> tuple[str | None, int]:
        """Remove files that belong to no image and are older than `stored_before`, among the next
        `limit` files. Return where to continue, or None at the end, and how many were removed.
        """
        files = await self._files.list_after(after, limit=limit)
        names = {file.metadata["imageId"] for file in files}
        known = {
            size["id"]
            async for image in self._images.find({"_id": {"$in": list(names)}}, {"sizes.id": 1})
            for size in image["sizes"]
        }
        lost = [file.id for file in files if file.id not in known and file.stored_at < stored_before]
        if lost:
            await self._files.remove(lost, stored_before=stored_before)
        return (files[-1].id if len(files) == limit else None), len(lost)

    @raises_unavailable
    async def remove_lost_parts(
        self, after: str | None, *, stored_before: datetime, limit: int
    ) -> tuple[str | None, int]:
        """Remove parts of files in the same way."""
        return await self._files.remove_lost_parts(after, stored_before=stored_before, limit=limit)


def sizes_from(documents: Sequence[Document]) -> tuple[ImageSize, ...]:
    return tuple(ImageSize(MediaId(size["id"]), size["width"], size["height"]) for size in documents)


def sizes_document(sizes: Sequence[ImageSize]) -> list[Document]:
    return [{"id": size.media_id, "width": size.width, "height": size.height} for size in sizes]


def _image(document: Document) -> StoredImage:
    return StoredImage(ImageId(document["_id"]), sizes_from(document["sizes"]))


def _now() -> datetime:
    return datetime.now(UTC)
