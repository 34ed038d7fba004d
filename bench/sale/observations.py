"""What people were shown of the line, as they were shown it: with the two stores' books, the evidence that the
invariants of the line judge.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.sale.client import JsonObject

At = tuple[int, int]
"""Epoch and version: a moment of the line."""


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
    """One look at the waiting room."""

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
    """What one subscription showed, in order."""

    person: str
    observations: list[Observation] = field(default_factory=list)


@dataclass(slots=True)
class Observations:
    trails: list[PersonObservations] = field(default_factory=list)
    rooms: list[RoomObservation] = field(default_factory=list)
    still_waiting: dict[int, At] = field(default_factory=dict)
    """By number: a moment at or after which its owner, who has no socket, was told to be waiting."""
    expired: dict[int, str] = field(default_factory=dict)
    """By number: whose place expired although its owner had a socket, or asked in time."""

    def of_person(self, person: str) -> PersonObservations:
        made = PersonObservations(person)
        self.trails.append(made)
        return made

    @property
    def last_room(self) -> RoomObservation | None:
        return self.rooms[-1] if self.rooms else None

    def record_waiting(self, number: int, since: RoomObservation | None) -> None:
        """`since` was seen before the question was asked, so the answer is true of it or of a later moment."""
        if since is not None:
            self.still_waiting[number] = max(since.at, self.still_waiting.get(number, since.at))


def pushed(trails: Sequence[PersonObservations]) -> "list[Observation]":
    return [sighting for trail in trails for sighting in trail.observations]
