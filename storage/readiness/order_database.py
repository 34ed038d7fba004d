"""Checks whether the order database can be used: a replica set that records a write on the majority
of its members, and has the indexes on which the guarantees depend.
"""

import asyncio
import re

from pymongo.errors import OperationFailure, PyMongoError, WTimeoutError

from domain.errors import TemporarilyUnavailable
from storage.mongo.client import Database
from storage.mongo.installation import InstallationStore
from storage.mongo.orders import OrderStore
from storage.mongo.revocations import RevocationStore
from storage.readiness.addresses import shown_address

_SETTING = "ONSALE_MONGO_URL"
WRITE_WITHIN_MS = 2_500
"""Long enough for a loaded set, and shorter than a whole check may take."""
_UNAUTHORIZED, _AUTHENTICATION_FAILED = 13, 18


class OrderDatabaseCheck:
    def __init__(
        self,
        database: Database,
        url: str,
        *,
        orders: OrderStore,
        revocations: RevocationStore,
        installation: InstallationStore,
    ) -> None:
        self._database = database
        self._name = f"MongoDB at {shown_address(url)}"
        self._orders = orders
        self._revocations = revocations
        self._installation = installation
        self._index_error: PyMongoError | None = None
        self.deployment: str | None = None
        """The id of this database, as the last check without a problem read it."""

    def note_index_error(self, error: PyMongoError | None) -> None:
        """Record why the indexes could not be created, or None once they have been."""
        self._index_error = error

    async def problem(self, *, within_s: float) -> str | None:
        """Return a sentence about what keeps the database from being used, or None."""
        problem: str | None
        self.deployment = None
        try:
            async with asyncio.timeout(within_s):
                problem = await self._check()
        except TimeoutError:
            cause = "" if self._index_error is None else f": {_cause(self._index_error)}"
            problem = f"has not answered for {within_s:.0f} s; check {_SETTING} and the server{cause}"
        except (PyMongoError, TemporarilyUnavailable) as error:
            failure = error if isinstance(error, PyMongoError) else error.__cause__
            problem = _explain(failure) if isinstance(failure, PyMongoError) else f"cannot be used now: {error}"
        return None if problem is None else f"{self._name} {problem}"

    async def _check(self) -> str | None:
        hello = await self._database.command("hello")
        if not hello.get("setName") and hello.get("msg") != "isdbgrid":
            return (
                "is a standalone server, but Onsale needs the transactions of a replica set; start mongod with"
                " --replSet and run rs.initiate() once. A set with one member is enough for a test"
            )
        if not hello.get("isWritablePrimary"):
            primary = f"; the primary is {hello['primary']}" if hello.get("primary") else ""
            return (
                f"has no writable primary: this is a secondary of the set {hello['setName']}{primary}. Set {_SETTING}"
                f" to all members with replicaSet={hello['setName']} and without directConnection"
            )
        await self._installation.probe_write(within_ms=WRITE_WITHIN_MS)
        if not await self._orders.has_unit_guards():
            return f"lacks the unique index on units or its schema{self._why_no_indexes()}"
        if not await self._revocations.has_indexes():
            return f"lacks the indexes of ended sessions{self._why_no_indexes()}"
        self.deployment = await self._installation.deployment_id()
        return None

    def _why_no_indexes(self) -> str:
        return "" if self._index_error is None else f"; creating it failed: {_cause(self._index_error)}"


def _explain(error: PyMongoError) -> str:
    cause = _cause(error)
    if isinstance(error, WTimeoutError):
        return (
            f"records no write on the majority of its members within {WRITE_WITHIN_MS / 1000:g} s; start the members"
            f" that are missing, or look at their logs ({cause})"
        )
    if isinstance(error, OperationFailure):
        if error.code == _AUTHENTICATION_FAILED:
            return f"refuses the user name or the password; correct them in {_SETTING} ({cause})"
        if error.code == _UNAUTHORIZED:
            return f"refuses a command of its user; grant it the role readWrite on the database ({cause})"
        return f"answers with an error: {cause}"
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        return f"has a TLS certificate that is refused: {cause}; renew it, or correct tlsCAFile in {_SETTING}"
    if "match selector" in cause:
        cause += ". If the set is new, run rs.initiate() once; otherwise wait for the election, or look at its log"
    return f"has no primary that this server can reach; check {_SETTING}, the name of the set and its members: {cause}"


def _cause(error: PyMongoError) -> str:
    """Return the driver's message without its timeouts and its description of the topology."""
    text = str(error).partition(", Timeout: ")[0].partition(", full error: ")[0]
    return re.sub(r" \(configured timeouts: [^)]*\)", "", text).rstrip(".,")
