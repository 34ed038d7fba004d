"""Connections of refused callers, which may be removed as soon as they are ended."""

from dataclasses import dataclass, field

from domain.ids import PersonId
from subscriptions.sockets.caller_connections import CallerConnections
from tests.support.revocations import viewer

REASON = "Your session has ended; sign in again"
ALICE = PersonId("alice")


@dataclass(eq=False)
class Socket:
    """A connection that is removed when it is ended, as an idle socket is."""

    connections: CallerConnections
    reasons: list[str] = field(default_factory=list)

    def end(self, reason: str) -> None:
        self.reasons.append(reason)
        self.connections.remove(self)


def opened(connections: CallerConnections, person: str, *, sid: str) -> Socket:
    socket = Socket(connections)
    connections.add(viewer(person, sid=sid), socket)
    return socket


def test_socket_found_by_person_and_by_session_is_ended_once() -> None:
    connections = CallerConnections()
    first, second = opened(connections, "alice", sid="s1"), opened(connections, "bob", sid="s2")
    connections.refuse_if(lambda _: REASON)
    connections.end_refused(people=[ALICE], sessions=["s1", "s2"])
    assert (first.reasons, second.reasons) == ([REASON], [REASON])
    assert len(connections) == 0
