"""Checks of an organizer's change to the image of a concert."""

from collections.abc import Iterator

from domain.images.image import ConcertImage, ImageChange, is_hash
from domain.inputs.problems import FieldProblem, InputRule
from domain.text.characters import line_problems

MAX_ALT = 300
"""Characters. Screen readers read the whole text, so it should be a sentence or two."""


def image_problems(change: ImageChange | None) -> Iterator[FieldProblem]:
    """Yield the problems with the given values, regardless of the concert."""
    if change is None:
        return
    if change.removes and (change.image_id is not None or change.alt is not None):
        message = "cannot be true if `imageId` or `imageAlt` is sent; omit it or those"
        yield FieldProblem("removeImage", message, InputRule.CONFLICT, other="imageAlt" if change.alt else "imageId")
    if change.image_id is not None and not is_hash(change.image_id):
        message = "is not the id of an image; send the `id` that `POST /uploads` returned"
        yield FieldProblem("imageId", message, InputRule.INVALID_ID)
    if change.image_id is not None and change.alt is None:
        message = "is missing; describe the image for people who cannot see it"
        yield FieldProblem("imageAlt", message, InputRule.REQUIRED)
    if change.alt is not None:
        yield from line_problems("imageAlt", change.alt, longest=MAX_ALT)


def missing_image_problems(change: ImageChange | None, image: ConcertImage | None) -> Iterator[FieldProblem]:
    """Yield the problems with a change to a concert that has this image, or none."""
    if change is None or change.removes:
        return
    if change.image_id is not None and change.stored is None:
        yield FieldProblem(
            "imageId",
            "is not the id of a stored image; an image that no concert uses is removed after a day, so upload it again",
            InputRule.INVALID_ID,
        )
    if change.image_id is None and change.alt is not None and image is None:
        message = "describes an image, but the concert has none; send its `imageId` too"
        yield FieldProblem("imageAlt", message, InputRule.CONFLICT, other="imageId")
