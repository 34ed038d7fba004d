"""The queue as observed by the people in it.

Together with the records in both stores, this is the evidence for the invariants of the queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.clients.http_client import JsonObject

At = tuple[int, int]
"""A point in the queue's history, given by its epoch and version."""


class Observation(NamedTuple):
    """A position that was pushed to a person."""

    at: At
    state: str
    number: int
    position: int | None
    serving: int
    waiting: int

    @classmethod
    def from_push(cls, pushed: JsonObject) -> "Observation":
        return cls(
            (pushed["epoch"], pushed["version"]),
            pushed["state"],
            pushed["number"],
            pushed["position"],
            pushed["servingNumber"],
            pushed["waitingCount"],
        )


class RoomObservation(NamedTuple):
    """The waiting room as returned by one poll."""

    at: At
    serving: int
    waiting: int
    slots_taken: int

    @classmethod
    def from_room(cls, room: JsonObject) -> "RoomObservation":
        at = (room["epoch"], room["version"])
        return cls(at, room["servingNumber"], room["waitingCount"], room["slotsTaken"])


@dataclass(frozen=True, slots=True)
class SocketObservations:
    """All updates that one subscription received, in order."""

    person: str
    observations: list[Observation] = field(default_factory=list)


@dataclass(slots=True)
class Observations:
    sockets: list[SocketObservations] = field(default_factory=list)
    rooms: list[RoomObservation] = field(default_factory=list)
    still_waiting: dict[int, At] = field(default_factory=dict)
    """For each number, the latest moment at which it is known to have been waiting."""
    expired: dict[int, str] = field(default_factory=dict)
    """For each entry that expired while its person had a socket or polled, the person's name."""

    def start_socket(self, person: str) -> SocketObservations:
        started = SocketObservations(person)
        self.sockets.append(started)
        return started

    @property
    def last_room(self) -> RoomObservation | None:
        return self.rooms[-1] if self.rooms else None

    def record_waiting(self, number: int, since: RoomObservation | None) -> None:
        """Record that a number is waiting.

        `since` was observed before the request, so the number was still waiting at that moment.
        """
        if since is not None:
            self.still_waiting[number] = max(since.at, self.still_waiting.get(number, since.at))


def all_pushed(sockets: Sequence[SocketObservations]) -> list[Observation]:
    return [observation for socket in sockets for observation in socket.observations]
