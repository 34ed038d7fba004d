"""The open sockets and event streams of signed-in callers, by person and by session.

A connection ends when its caller is refused, even if the refusal came before the connection was
added: a session may end between the check of a token and the first message.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from domain.errors import SESSION_ENDED, SessionLost, Unauthenticated
from domain.ids import PersonId
from subscriptions.interfaces import Caller

Key = TypeVar("Key")


class EndableConnection(Protocol):
    def end(self, reason: str) -> None:
        """End the connection as if its token had been refused. Does not block."""


def refusal_of(reason: str, *, of_session: bool) -> Unauthenticated | SessionLost:
    """Return the error that is sent when a refused connection is ended.

    `of_session` means that a session cookie identified the caller. Only then can the client sign in
    again by itself, so only then is the error SessionLost.
    """
    return SessionLost() if of_session and reason == SESSION_ENDED else Unauthenticated(reason)


class CallerConnections:
    def __init__(self) -> None:
        self._callers: dict[EndableConnection, Caller] = {}
        self._by_person: dict[PersonId, dict[EndableConnection, None]] = {}
        self._by_session: dict[str, dict[EndableConnection, None]] = {}
        self._refusals: list[Callable[[Caller], str | None]] = []

    def __len__(self) -> int:
        return len(self._callers)

    def refuse_if(self, refusal_for: Callable[[Caller], str | None]) -> None:
        """Refuse each caller for whom `refusal_for` returns a reason, now and later."""
        self._refusals.append(refusal_for)

    def add(self, caller: Caller, connection: EndableConnection) -> None:
        """Track the connection until it is removed. It is ended if the caller is refused."""
        self._callers[connection] = caller
        self._by_person.setdefault(caller.person_id, {})[connection] = None
        if caller.session_id is not None:
            self._by_session.setdefault(caller.session_id, {})[connection] = None
        self._end_if_refused(connection)

    def remove(self, connection: EndableConnection) -> None:
        caller = self._callers.pop(connection)
        _discard(self._by_person, caller.person_id, connection)
        if caller.session_id is not None:
            _discard(self._by_session, caller.session_id, connection)

    def of_person(self, person_id: PersonId) -> list[Caller]:
        """Return the callers of a person's connections, one for each connection."""
        return [self._callers[connection] for connection in self._by_person.get(person_id, ())]

    def end_refused(self, *, people: Iterable[PersonId] = (), sessions: Iterable[str] = ()) -> None:
        """Check the connections of these people and sessions, and close the connections of refused
        callers.
        """
        found = [connection for person_id in people for connection in self._by_person.get(person_id, ())]
        found += [connection for session_id in sessions for connection in self._by_session.get(session_id, ())]
        # A connection may be found twice, by person and by session, but once ended it is removed.
        for connection in dict.fromkeys(found):
            self._end_if_refused(connection)

    def _end_if_refused(self, connection: EndableConnection) -> None:
        caller = self._callers[connection]
        reason = next((reason for refusal_for in self._refusals if (reason := refusal_for(caller))), None)
        if reason is not None:
            connection.end(reason)


def _discard(groups: dict[Key, dict[EndableConnection, None]], key: Key, connection: EndableConnection) -> None:
    del groups[key][connection]
    if not groups[key]:
        del groups[key]
