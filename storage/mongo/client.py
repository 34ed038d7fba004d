"""How Onsale speaks to MongoDB: writes by the majority and journalled, reads of the primary, and what a failure means.

Only two answers decide a write: acknowledged, or refused for its contents (a duplicate key, a schema). All else is
unknown: it may have happened, may yet happen, or may never.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any, ParamSpec, TypeVar

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo.errors import DuplicateKeyError, PyMongoError, WriteError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from domain.errors import TemporarilyUnavailable

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]
Session = AsyncIOMotorClientSession

# Its debug lines hold whole commands: names, addresses, and secrets of lotteries.
logging.getLogger("pymongo").setLevel(logging.INFO)

ANSWER_WITHIN_MS = 5_000
"""Longer than any healthy write, shorter than a person waits."""

P = ParamSpec("P")
R = TypeVar("R")


def connect(url: str) -> Client:
    return AsyncIOMotorClient(
        url,
        appname="onsale",
        # A primary that stepped down is looked for again at each heartbeat: well before a selection gives up.
        heartbeatFrequencyMS=1_000,
        serverSelectionTimeoutMS=2_500,
        connectTimeoutMS=2_000,
        socketTimeoutMS=ANSWER_WITHIN_MS + 2_000,
        maxPoolSize=50,
    )


def database(client: Client, name: str) -> Database:
    return client.get_database(
        name,
        codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
        read_concern=ReadConcern("majority"),
        write_concern=WriteConcern("majority", wtimeout=ANSWER_WITHIN_MS, j=True),
    )


def raises_unavailable(call: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """For reads and repeatable writes: a database that is away is a TemporarilyUnavailable."""

    @functools.wraps(call)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await call(*args, **kwargs)
        except (DuplicateKeyError, WriteError):
            raise
        except PyMongoError as error:
            raise TemporarilyUnavailable("The order database does not answer") from error

    return wrapped
