"""Login sessions for tests: an in-memory store, an issuer that renews or fails, and a clock."""

import asyncio
import time
from dataclasses import dataclass, field, replace

from auth.sessions.cipher import SessionCipher
from auth.sessions.oidc_client import IssuerUnavailable, LoginRefused, Tokens
from auth.sessions.sessions import Clock, Sessions, SessionStore
from auth.viewer import Role, Viewer
from domain.errors import TemporarilyUnavailable, Unauthenticated
from domain.ids import PersonId
from settings import SessionSettings

KEY = b"k" * 32
LIFETIME_S = 300.0
"""The lifetime of an access token, as in Keycloak."""
ALICE = Viewer(
    PersonId("alice-id"), "alice", "alice@onsale.example", frozenset({Role.CUSTOMER}), is_email_verified=True
)


class MemoryStore:
    """A store whose claims never expire until the test calls `end_claims`."""

    def __init__(self) -> None:
        self.sealed: dict[str, bytes] = {}
        self.ends_at: dict[str, float] = {}
        self.claims: set[str] = set()
        self.is_away = False

    async def read(self, digest: str) -> bytes | None:
        self._check()
        return self.sealed.get(digest)

    async def create(self, digest: str, sealed: bytes, *, expires_at: float) -> None:
        self._check()
        self.sealed[digest], self.ends_at[digest] = sealed, expires_at

    async def replace(self, digest: str, sealed: bytes, *, expires_at: float) -> bool:
        self._check()
        if digest not in self.sealed:
            return False
        await self.create(digest, sealed, expires_at=expires_at)
        return True

    async def delete(self, digest: str) -> None:
        self._check()
        self.sealed.pop(digest, None)

    async def claim_renewal(self, digest: str, *, gap_s: float) -> bool:
        self._check()
        is_free = digest not in self.claims
        self.claims.add(digest)
        return is_free

    def end_claims(self) -> None:
        self.claims.clear()

    def _check(self) -> None:
        if self.is_away:
            raise TemporarilyUnavailable("The stock store cannot be reached")


@dataclass
class FakeClock:
    now_s: float = field(default_factory=lambda: float(int(time.time())))
    chance: float = 0.5
    slept: int = 0

    def now(self) -> float:
        return self.now_s

    def random(self) -> float:
        return self.chance

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self.now_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.random, self.sleep)


@dataclass
class FakeIssuer:
    """Renews and verifies tokens. The token `t1` comes from the login, and `t2` from a renewal."""

    clock: FakeClock
    viewer: Viewer = ALICE
    refreshed: list[str] = field(default_factory=list)
    """The refresh tokens that were used."""
    failure: LoginRefused | IssuerUnavailable | None = None
    token_failure: Unauthenticated | TemporarilyUnavailable | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    refresh_expires_in_s: float | None = 1_800.0

    def __post_init__(self) -> None:
        self.gate.set()

    async def refresh(self, refresh_token: str) -> Tokens:
        self.refreshed.append(refresh_token)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.tokens()

    async def verify(self, token: str) -> Viewer:
        if self.token_failure is not None:
            raise self.token_failure
        now_s = self.clock.now()
        return replace(self.viewer, issued_at=now_s, expires_at=now_s + LIFETIME_S, session_id="sid-1")

    def tokens(self) -> Tokens:
        number = len(self.refreshed) + 1
        return Tokens(f"t{number}", f"r{number}", f"id{number}", self.refresh_expires_in_s, self.viewer.person_id)


@dataclass
class FakeRevocations:
    people: set[PersonId] = field(default_factory=set)
    is_loaded: bool = True

    def is_revoked(self, viewer: Viewer) -> bool:
        return viewer.person_id in self.people


class Login:
    """A process with sessions. The processes in a test share a store, an issuer and a clock."""

    def __init__(
        self,
        *,
        store: SessionStore | None = None,
        issuer: FakeIssuer | None = None,
        settings: SessionSettings | None = None,
    ) -> None:
        self.memory = MemoryStore()
        self.clock = issuer.clock if issuer is not None else FakeClock()
        self.issuer = issuer or FakeIssuer(self.clock)
        self.revocations = FakeRevocations()
        self.sessions = Sessions(
            store or self.memory,
            SessionCipher([KEY]),
            issuer=self.issuer,
            verifier=self.issuer,
            revocations=self.revocations,
            settings=settings or SessionSettings(),
            clock=self.clock.clock,
        )

    async def sign_in(self) -> str:
        """Return the cookie of a new session."""
        return await self.sessions.create(self.issuer.tokens())
