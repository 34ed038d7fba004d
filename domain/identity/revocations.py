"""Revocations: each ends one session at the issuer, or all of a person's sessions up to a given
time.
"""

from dataclasses import dataclass

from domain.ids import PersonId

REVOCATION_LASTS_S = 86_400
"""How long a revocation is kept.

An older access token is refused whatever its expiry, so no token outlives its revocation.
"""


class AlreadyRevoked(Exception):
    """A revocation with this id is recorded already: its logout token was received before."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A record that ends one session, or all sessions of a person: exactly one of the two ids is
    set.
    """

    id: str
    """The `jti` of the logout token, or a random id."""
    session_id: str | None = None
    """The `sid` whose tokens no longer count."""
    person_id: PersonId | None = None
    """The `sub` whose tokens no longer count if issued at `issued_before_s` or earlier."""
    issued_before_s: float = 0.0
    """In Unix seconds by the issuer's clock."""
    recorded_at_s: float = 0.0
    """In Unix seconds by the clock of the database; 0 until it is recorded."""


@dataclass(frozen=True, slots=True)
class RevocationPage:
    revocations: tuple[Revocation, ...]
    read_through: int | None
    """Everything recorded up to this cluster time is visible to the read that returned this page.

    None if the collection does not exist yet.
    """
