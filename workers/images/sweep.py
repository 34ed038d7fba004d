"""Removes images that no concert has used for a day, and files and parts that a process left when
it died.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from domain.images.image import ImageId
from payments.saga.order_payments import now_ms
from storage.connect import Stores

PER_RUN = 100
"""With one run a minute, this checks 144,000 images a day."""
KEPT_UNUSED = timedelta(days=1)
"""Long enough to create the concert after the upload, and for pages that still show the old image
of a concert.
"""


class ImageSweepWorker:
    name = "images"
    interval_s = 60.0

    def __init__(self, *, clock: Callable[[], datetime] = now_ms) -> None:
        self._clock = clock
        self._last_image: ImageId | None = None
        self._last_file: str | None = None
        self._last_part: str | None = None

    async def run_once(self, stores: Stores) -> int:
        """Check the next images, files and parts, and return how many were removed."""
        before = self._clock() - KEPT_UNUSED
        removed = await self._remove_unused(stores, before)
        self._last_file, files = await stores.images.remove_lost_files(
            self._last_file, stored_before=before, limit=PER_RUN
        )
        self._last_part, parts = await stores.images.remove_lost_parts(
            self._last_part, stored_before=before, limit=PER_RUN
        )
        return removed + files + parts

    async def _remove_unused(self, stores: Stores, before: datetime) -> int:
        entries = await stores.images.list_after(self._last_image, limit=PER_RUN)
        self._last_image = entries[-1].image.id if len(entries) == PER_RUN else None
        if not entries:
            return 0
        used = await stores.images.mark_used([entry.image.id for entry in entries])
        unused = [entry.image for entry in entries if entry.image.id not in used and entry.needed_at < before]
        return sum([await stores.images.remove(image, needed_before=before) for image in unused])
