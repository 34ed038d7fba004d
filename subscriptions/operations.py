"""What the transports need of the rest of the house: whose token this is, and somebody who runs operations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from domain.ids import PersonId
from subscriptions.sources import Rendered


@dataclass(frozen=True, slots=True)
class Asked:
    """The payload of a subscribe message, its shape checked."""

    document: str | None
    """None if only `extensions` say which document is meant."""
    variables: Mapping[str, object]
    name: str | None
    extensions: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answered:
    """A query or mutation ran."""

    payload: bytes
    """JSON of its execution result."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing ran: the operation is invalid, denied, or cannot be served now."""

    errors: bytes
    """JSON, a list of GraphQL errors."""


class Watch(Protocol):
    """A subscription that delivers until it is closed."""

    def close(self) -> None: ...


Outcome: TypeAlias = Answered | Rejected | Watch
Deliver: TypeAlias = Callable[[Rendered], None]


class Caller(Protocol):
    """A person who showed a token."""

    @property
    def person_id(self) -> PersonId: ...

    @property
    def expires_at(self) -> float | None:
        """Unix seconds, when the token ends."""
        ...


C = TypeVar("C", bound=Caller)
C_co = TypeVar("C_co", bound=Caller, covariant=True)
C_contra = TypeVar("C_contra", bound=Caller, contravariant=True)


class Verifier(Protocol[C_co]):
    async def verify(self, token: str) -> C_co:
        """Raises Unauthenticated, or TemporarilyUnavailable where nobody can tell now."""
        ...


class Operations(Protocol[C_contra]):
    async def start(self, asked: Asked, deliver: Deliver, *, caller: C_contra | None, address: str | None) -> Outcome:
        """Calls `deliver`, which never blocks, from now until the Watch is closed. Raises nothing that is expected."""
        ...
