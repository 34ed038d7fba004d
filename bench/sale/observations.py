"""The queue as people saw it:
together with the records of both stores, the evidence for the queue invariants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.sale.client import JsonObject

At = tuple[int, int]
"""Epoch and version: a moment of the queue."""


class Observation(NamedTuple):
    """One pushed position."""

    at: At
    state: str
    number: int
    position: int | None
    serving: int
    waiting: int

    @classmethod
    def of(cls, pushed: JsonObject) -> "Observation":
        return cls(
            (pushed["epoch"], pushed["version"]),
            pushed["state"],
            pushed["number"],
            pushed["position"],
            pushed["servingNumber"],
            pushed["waitingCount"],
        )


class RoomObservation(NamedTuple):
    """One poll of the waiting room."""

    at: At
    serving: int
    waiting: int
    slots_taken: int

    @classmethod
    def of(cls, room: JsonObject) -> "RoomObservation":
        at = (room["epoch"], room["version"])
        return cls(at, room["servingNumber"], room["waitingCount"], room["slotsTaken"])


@dataclass(frozen=True, slots=True)
class PersonObservations:
    """Everything that one subscription showed, in order."""

    person: str
    observations: list[Observation] = field(default_factory=list)


@dataclass(slots=True)
class Observations:
    trails: list[PersonObservations] = field(default_factory=list)
    rooms: list[RoomObservation] = field(default_factory=list)
    still_waiting: dict[int, At] = field(default_factory=dict)
    """By number: the earliest moment at which its owner,
    without a socket, can have been reported waiting.
    """
    expired: dict[int, str] = field(default_factory=dict)
    """By number: owners whose entry expired although they had a socket or polled in time."""

    def of_person(self, person: str) -> PersonObservations:
        made = PersonObservations(person)
        self.trails.append(made)
        return made

    @property
    def last_room(self) -> RoomObservation | None:
        return self.rooms[-1] if self.rooms else None

    def record_waiting(self, number: int, since: RoomObservation | None) -> None:
        """Record that a number waits.

        `since` was observed before the request, so the answer is true of it or of a later
        moment.
        """
        if since is not None:
            self.still_waiting[number] = max(since.at, self.still_waiting.get(number, since.at))


def pushed(trails: Sequence[PersonObservations]) -> "list[Observation]":
    return [sighting for trail in trails for sighting in trail.observations]
