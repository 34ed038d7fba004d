"""Login sessions without a login."""

from auth.callers import NoSessions, Recheck
from auth.viewer import Role, Viewer
from tests.support.shop import person_id


class _NeverDue:
    def delay_s(self) -> float:
        return 3_600

    async def check(self) -> None:
        pass


class BrowserOf(NoSessions):
    """The login sessions of a server where every cookie belongs to one person."""

    def __init__(self, name: str, role: Role = Role.CUSTOMER) -> None:
        self._viewer = Viewer(person_id(name), name, None, frozenset({role}))

    async def viewer_of(self, cookie: str) -> Viewer:
        return self._viewer

    def recheck(self, cookie: str, viewer: Viewer) -> Recheck:
        return _NeverDue()
