"""A revocation store without a database, and viewers whose tokens tests can revoke."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from auth.viewer import Role, Viewer
from domain.identity.revocations import AlreadyRevoked, Revocation, RevocationPage
from domain.ids import PersonId

START_S = int(time.time())
"""The time of the fake database at the start of a test, in Unix seconds."""


@dataclass
class FakeRevocationStore:
    """Records revocations in order. Reads see all earlier writes. `failure` makes calls fail."""

    now_s: int = START_S
    revocations: list[Revocation] = field(default_factory=list)
    reads: int = 0
    failure: Exception | None = None
    page_size: int = 1_000

    async def insert(self, revocation: Revocation) -> None:
        self._fail()
        if any(known.id == revocation.id for known in self.revocations):
            raise AlreadyRevoked(revocation.id)
        self.revocations.append(replace(revocation, recorded_at_s=self.now_s))

    async def read_pages(self, since: int | None) -> AsyncIterator[RevocationPage]:
        self.reads += 1
        self._fail()
        found = [one for one in self.revocations if since is None or one.recorded_at_s >= since >> 32]
        for start in range(0, len(found) or 1, self.page_size):
            yield RevocationPage(tuple(found[start : start + self.page_size]), self.now_s << 32)

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


def viewer(
    name: str = "alice", /, *roles: Role, sid: str | None = None, issued_at: float = START_S, expires_at: float = 2e9
) -> Viewer:
    return Viewer(PersonId(name), name, None, frozenset(roles or {Role.CUSTOMER}), expires_at, issued_at, sid)
