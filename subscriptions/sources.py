"""What the hub needs of a subscription, and nothing of GraphQL: which topic it watches, and how it shows a snapshot."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from domain.topics import Snapshot, Topic


@dataclass(frozen=True, slots=True)
class Rendered:
    payload: bytes
    """JSON of an execution result, `{"data": …}`."""
    is_last: bool = False
    """Nothing can follow: the transport completes the subscription."""
    key: Hashable = None
    """What is shown, where one topic shows several things: a slow reader skips to the newest state of each."""


class Source(Protocol):
    """One subscription operation, validated, its rights checked."""

    @property
    def topic(self) -> Topic: ...

    @property
    def group(self) -> Hashable:
        """Sources of one topic and one group show the same bytes, so one of them is asked for all."""

    def at_once(self, snapshot: Snapshot) -> Rendered | None:
        """The bytes that `render` would give, where they are known without an execution."""

    async def render(self, snapshot: Snapshot) -> Rendered: ...
