"""The viewer, according to a verified token, and what a role permits."""

from dataclasses import dataclass
from enum import StrEnum

from domain.ids import PersonId


class Role(StrEnum):
    CUSTOMER = "customer"
    ORGANIZER = "organizer"
    GATE = "gate"


@dataclass(frozen=True, slots=True)
class Viewer:
    person_id: PersonId
    """The token's `sub`."""
    name: str
    email: str | None
    roles: frozenset[Role]
    expires_at: float | None = None
    """Unix seconds. Subscriptions end when the token expires."""

    @property
    def is_organizer(self) -> bool:
        return Role.ORGANIZER in self.roles
