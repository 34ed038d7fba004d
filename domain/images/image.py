"""An image is stored as WebP files of several sizes, and a concert shows it with an alternative
text.

The id of an image is a hash of the bytes that were uploaded. The id of a file is a hash of its
image's id and its own bytes. A repeated upload is therefore the same image, and a file never
changes.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import NewType

from domain.ids import fingerprint

ImageId = NewType("ImageId", str)
"""The SHA-256 of the uploaded bytes, in hex."""
MediaId = NewType("MediaId", str)
"""The id of one size of an image, also in hex."""

_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ImageSize:
    media_id: MediaId
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RenderedSize:
    """One size of an image, as a WebP file."""

    width: int
    height: int
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredImage:
    id: ImageId
    sizes: tuple[ImageSize, ...]
    """Narrowest first."""


@dataclass(frozen=True, slots=True)
class ConcertImage:
    """The image of a concert. The sizes are stored with the concert, so a page of concerts needs no
    further read.
    """

    image_id: ImageId
    alt: str
    sizes: tuple[ImageSize, ...]


@dataclass(frozen=True, slots=True)
class ImageChange:
    """An organizer's change to the image of a concert. Fields that are None stay unchanged."""

    image_id: ImageId | None = None
    alt: str | None = None
    removes: bool = False
    stored: StoredImage | None = None
    """The image with `image_id`, once it has been read."""

    def apply_to(self, image: ConcertImage | None) -> ConcertImage | None:
        """Return the image after the change. The change must have no problems."""
        if self.removes:
            return None
        if self.stored is not None:
            return ConcertImage(self.stored.id, self.alt or "", self.stored.sizes)
        if image is None or self.alt is None:
            return image
        return ConcertImage(image.image_id, self.alt, image.sizes)


def image_id_of(content: bytes) -> ImageId:
    return ImageId(hashlib.sha256(content).hexdigest())


def media_id_of(image_id: ImageId, content: bytes) -> MediaId:
    """Return the id of a file. It depends on the image too, so that no two images share a file, and
    each can be removed independently.
    """
    return MediaId(fingerprint("media", image_id, hashlib.sha256(content).hexdigest()))


def is_hash(text: str) -> bool:
    """Return whether the text may be the id of an image or of a file."""
    return _ID.fullmatch(text) is not None
