"""Reads the images that organizers choose for their concerts."""

from dataclasses import replace

from domain.images.image import ImageChange
from domain.images.problems import image_problems
from domain.validation import raise_problems
from resolvers.context import Context


async def read_chosen_image(context: Context, change: ImageChange | None) -> ImageChange | None:
    """Return the change with the image that it names, which is kept from now on, even if the
    concert is stored only later.

    Raises InvalidInput.
    """
    raise_problems(image_problems(change))
    if change is None or change.image_id is None:
        return change
    return replace(change, stored=await context.stores.images.find_needed(change.image_id))
