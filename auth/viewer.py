"""The viewer, as identified by a verified token, and the roles."""

from dataclasses import dataclass
from enum import StrEnum

from domain.ids import PersonId


class Role(StrEnum):
    CUSTOMER = "customer"
    ORGANIZER = "organizer"
    GATE = "gate"
    ADMIN = "admin"


PRIVILEGED = frozenset({Role.ORGANIZER, Role.GATE, Role.ADMIN})
"""The roles that must not outlive their removal at the issuer by more than a minute."""


@dataclass(frozen=True, slots=True)
class Viewer:
    person_id: PersonId
    """The token's `sub`."""
    name: str
    email: str | None
    roles: frozenset[Role]
    expires_at: float | None = None
    """The time in Unix seconds from which the token is refused: its `exp` plus the leeway. The
    viewer's subscriptions end then.
    """
    issued_at: float = 0.0
    """The token's `iat` in Unix seconds; 0 if it has none."""
    session_id: str | None = None
    """The token's `sid`: the login session at the issuer. Service accounts have none."""

    @property
    def is_organizer(self) -> bool:
        return Role.ORGANIZER in self.roles

    @property
    def is_admin(self) -> bool:
        return Role.ADMIN in self.roles

    def organizes(self, organizer_id: PersonId | None) -> bool:
        """Return whether the viewer has the rights of a concert's organizer. Admins have them for
        every concert.
        """
        return self.is_admin or (self.is_organizer and self.person_id == organizer_id)
