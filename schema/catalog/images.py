"""The image of a concert, in several sizes."""

from typing import Self

import strawberry

from domain.images.image import ConcertImage, MediaId

MEDIA_PATH = "/media"


def media_url(site_url: str, media_id: MediaId) -> str:
    return f"{site_url}{MEDIA_PATH}/{media_id}"


@strawberry.type(description="One size of an image, as a WebP file that never changes.")
class ImageSize:
    url: str = strawberry.field(description="The address of the file. Anyone may read it and keep it forever.")
    width: int = strawberry.field(description="The width in pixels.")
    height: int = strawberry.field(description="The height in pixels.")


@strawberry.type(description="An image and its text for people who cannot see it.")
class Image:
    alt: str = strawberry.field(description="What the image shows, for people who cannot see it.")
    sizes: list[ImageSize] = strawberry.field(
        description=(
            "The same image in one to three sizes, narrowest first: up to 320, 800 and 1,600 pixels wide. Images are"
            " never enlarged, so a small image has fewer sizes."
        )
    )

    @classmethod
    def of(cls, image: ConcertImage, site_url: str) -> Self:
        return cls(
            alt=image.alt,
            sizes=[
                ImageSize(url=media_url(site_url, size.media_id), width=size.width, height=size.height)
                for size in image.sizes
            ],
        )
