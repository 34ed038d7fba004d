"""The MongoDB client, which journals majority writes, reads from the primary, and classifies
failures.

The outcome of a write is known only if the write was acknowledged, or was refused because of its
contents (a duplicate key, a schema violation). Otherwise the outcome is unknown: the write may have
happened, may still happen, or may never happen.
"""

import functools
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any, ParamSpec, TypeVar

from bson.codec_options import CodecOptions
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError, WriteError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from domain.errors import TemporarilyUnavailable
from storage.mongo.writes.checked_database import CheckedDatabase

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]
Session = AsyncIOMotorClientSession

# PyMongo's debug log contains whole commands, including names, addresses and lottery secrets.
logging.getLogger("pymongo").setLevel(logging.INFO)

ANSWER_WITHIN_MS = 5_000
"""Longer than any healthy write takes, and shorter than a person is willing to wait."""

# BadValue, FailedToParse, TypeMismatch, Overflow, InvalidLength, InvalidBSON, PathNotViable,
# ConflictingUpdateOperators, DollarPrefixedFieldName, InvalidIdField, EmptyFieldName,
# ImmutableField, InvalidOptions, InvalidNamespace, DocumentValidationFailure,
# InvalidPipelineOperator, BSONObjectTooLarge.
_REFUSED = frozenset({2, 9, 14, 15, 16, 22, 28, 40, 52, 53, 56, 66, 72, 73, 121, 168, 10334})
_FIRST_ASSERTION = 16_000
"""Codes from this one up are assertion numbers; the server's parsers raise these assertions."""

P = ParamSpec("P")
R = TypeVar("R")


def connect(url: str) -> Client:
    return AsyncIOMotorClient(
        url,
        appname="onsale",
        # The driver looks for a new primary at each heartbeat, well before server selection times
        # out.
        heartbeatFrequencyMS=1_000,
        serverSelectionTimeoutMS=2_500,
        connectTimeoutMS=2_000,
        socketTimeoutMS=ANSWER_WITHIN_MS + 2_000,
        maxPoolSize=50,
    )


def database(client: Client, name: str) -> CheckedDatabase:
    return CheckedDatabase(
        client,
        name,
        codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
        # The URL may name another preference, under which a recovery could read outdated orders.
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern("majority"),
        write_concern=WriteConcern("majority", wtimeout=ANSWER_WITHIN_MS, j=True),
    )


def raises_unavailable(call: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Wrap `call` so that it raises TemporarilyUnavailable instead of a PyMongoError.

    Errors for refused writes and commands are raised unchanged, because repeating them would never
    help. Use this decorator only for reads and repeatable writes.
    """

    @functools.wraps(call)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await call(*args, **kwargs)
        except (DuplicateKeyError, WriteError):
            raise
        except PyMongoError as error:
            if is_refusal(error):
                raise
            raise TemporarilyUnavailable("The order database does not answer") from error

    return wrapped


def is_refusal(error: PyMongoError) -> bool:
    """Return whether the server understood the command and permanently refused its contents."""
    if not isinstance(error, OperationFailure) or error.code is None:
        return False
    return error.code in _REFUSED or error.code >= _FIRST_ASSERTION
