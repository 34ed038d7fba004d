"""What a subscription has to show and its reader has not taken: the newest state of each thing, and nothing older."""

from collections.abc import Hashable

from subscriptions.sources import Rendered

MAX_THINGS = 100
"""Of one subscription; a person has far fewer holds."""


class Newest:
    __slots__ = ("_is_last", "_payloads")

    def __init__(self) -> None:
        self._payloads: dict[Hashable, bytes] = {}
        self._is_last = False

    @property
    def is_over(self) -> bool:
        """Everything was taken, and nothing can follow."""
        return self._is_last and not self._payloads

    @property
    def is_full(self) -> bool:
        return len(self._payloads) > MAX_THINGS

    def show(self, rendered: Rendered) -> None:
        self._payloads.pop(rendered.key, None)
        self._payloads[rendered.key] = rendered.payload
        self._is_last = rendered.is_last

    def take(self) -> bytes | None:
        """What changed first."""
        return self._payloads.pop(next(iter(self._payloads))) if self._payloads else None

    def clear(self) -> None:
        self._payloads.clear()
