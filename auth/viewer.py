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
    is_email_verified: bool = False
    """The token's `email_verified`: whether the issuer has verified that the person receives mail
    at this address.
    """

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


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights at one concert that all viewers in a group have."""

    is_organizer: bool = False
    """Whether they have the rights of the concert's organizer."""
    organizer_id: PersonId | None = None
    """The organizer, if they have these rights."""

    @classmethod
    def of(cls, viewer: Viewer | None, organizer_id: PersonId | None) -> "Rights":
        """Return the viewer's rights at a concert with this organizer."""
        organizes = viewer is not None and viewer.organizes(organizer_id)
        return cls(True, organizer_id) if organizes else NO_RIGHTS

    def organizes(self, organizer_id: PersonId | None) -> bool:
        """Return whether these are the rights of this organizer.

        Returns False if the concert got another organizer after the rights were computed.
        """
        return self.is_organizer and organizer_id == self.organizer_id


NO_RIGHTS = Rights()
"""The rights of the public."""
