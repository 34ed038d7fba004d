"""The codes and the ended sessions of a development issuer, in a real store."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from auth.dev_issuer.logins import Logins
from domain.limits.rates import Rate
from storage.hot.rate_limits import CallCounter
from storage.hot.script_client import ScriptClient
from storage.logins.issuer_logins import IssuerLogins


@asynccontextmanager
async def open_logins(redis_url: str, *, per_address: Rate | None = None) -> AsyncIterator[Logins]:
    async with aclosing(ScriptClient(redis_url)) as client:
        yield Logins(IssuerLogins(client), CallCounter(client), per_address=per_address)
