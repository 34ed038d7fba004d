"""Logins, authorization codes and ended sessions, which all processes share.

A code works once, within one minute. The first request that presents it invalidates it, even if
something else in the request is wrong; presenting it again ends the session that resulted from it.
If Redis loses them, the owners of codes have to sign in again, and ended sessions last until their
tokens expire.
"""

import hashlib
import json
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

from auth.dev_issuer.demo_users import DemoUser, find_demo_user
from auth.login_limit import CallCounter, LoginLimit
from domain.limits.rates import Rate

CODE_LIFETIME_S = 60
"""Keycloak's default lifetime of a code; a browser redeems a code within a second."""
REFRESH_LIFETIME_S = 1_800
"""The lifetime of a refresh token, equal to Keycloak's default idle timeout for a session.

Unless the session is refreshed, all its tokens have expired after this time.
"""
ENDED_KEPT_S = REFRESH_LIFETIME_S + 60
"""How long an ended session is remembered: a refresh that began before its end may be a little
late.
"""
MAX_CODES = 20_000
"""The maximum number of codes within REFRESH_LIFETIME_S, for which a used code is kept."""
_CALL = "issuer_codes"
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Login:
    """One sign-in of one person. `session_id` is the `sid` of every token that results from it."""

    person: DemoUser
    client_id: str
    session_id: str
    authenticated_at_s: int | None = None
    """When the person used the sign-in page; None after a password grant, as in Keycloak."""
    nonce: str | None = None


def new_login(person: DemoUser, client_id: str) -> Login:
    return Login(person, client_id, str(uuid.uuid4()))


def new_page_login(person: DemoUser, client_id: str, *, nonce: str | None) -> Login:
    return Login(person, client_id, str(uuid.uuid4()), int(time.time()), nonce)


@dataclass(frozen=True, slots=True)
class Code:
    """The request for which an authorization code was issued, in the form that Authlib uses."""

    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str
    login: Login

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def encode(self) -> bytes:
        fields = {**asdict(self), "login": {**asdict(self.login), "person": self.login.person.username}}
        return json.dumps(fields).encode()

    @classmethod
    def decode(cls, record: bytes) -> "Code | None":
        """Return the code, or None if its person is not a demo user anymore."""
        fields = json.loads(record)
        person = find_demo_user(fields["login"]["person"])
        return None if person is None else cls(**{**fields, "login": Login(**{**fields["login"], "person": person})})


@dataclass(frozen=True, slots=True)
class TakenCode:
    code: Code
    is_replay: bool


class TakenRecord(Protocol):
    """An encoded code that was taken, by this request or by an earlier one."""

    @property
    def record(self) -> bytes: ...

    @property
    def is_replay(self) -> bool: ...


class LoginStore(Protocol):
    """Where all processes keep codes and ended sessions; see storage/logins/issuer_logins.py. All
    methods raise TemporarilyUnavailable.
    """

    async def add_code(self, digest: str, record: bytes, *, lasts_s: int) -> None: ...

    async def take_code(self, digest: str, *, kept_s: int) -> TakenRecord | None:
        """Exactly one call takes a code; later calls within `kept_s` get a replay."""

    async def end(self, id_: str, *, kept_s: int) -> None: ...

    async def has_ended(self, *ids: str) -> bool: ...


class Logins:
    """The codes, the `sid` of each session that a logout, a revocation or a replayed code ended,
    and the `jti` of each revoked access token.

    As with Keycloak, an access token that is verified elsewhere stays valid until its `exp`. All
    methods raise TemporarilyUnavailable.
    """

    def __init__(self, store: LoginStore, counter: CallCounter, *, per_address: Rate | None) -> None:
        self._store = store
        self._per_address = LoginLimit(counter, per_address, call=_CALL)
        total = Rate(MAX_CODES, REFRESH_LIFETIME_S)
        self._in_total = LoginLimit(counter, total, call=_CALL, scope="for all addresses together")

    async def add_code(self, value: str, code: Code, *, address: str | None) -> None:
        """Store a code. Raises TooManyLogins if the address, or all together, got too many."""
        await self._per_address.count(address)
        await self._in_total.count(_ALL)
        await self._store.add_code(_digest(value), code.encode(), lasts_s=CODE_LIFETIME_S)

    async def take_code(self, value: str) -> TakenCode | None:
        """Return the code, which no later request can use. A replay ends the session of the code.

        Returns None if the code is unknown, or expired before it was used.
        """
        taken = await self._store.take_code(_digest(value), kept_s=REFRESH_LIFETIME_S)
        code = None if taken is None else Code.decode(taken.record)
        if taken is None or code is None:
            return None
        if taken.is_replay:
            await self.end(code.login.session_id)
        return TakenCode(code, taken.is_replay)

    async def end(self, id_: str) -> None:
        """End a session, or revoke an access token."""
        await self._store.end(id_, kept_s=ENDED_KEPT_S)

    async def has_ended(self, session_id: str) -> bool:
        return await self._store.has_ended(session_id)

    async def covers(self, claims: Mapping[str, object]) -> bool:
        """Return whether a token with these claims was revoked or belongs to an ended session."""
        return await self._store.has_ended(str(claims["sid"]), str(claims["jti"]))


def new_code_value() -> str:
    return secrets.token_urlsafe(32)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="replace")).hexdigest()
