"""Top-level errors: one table maps each error that is not a union member to its code.

Every error has `extensions.code` and `extensions.requestId`. An unexpected exception is logged
with its traceback and shown as INTERNAL, without details.
"""

import logging
import re
from collections.abc import Mapping
from enum import StrEnum

from graphql import GraphQLError

from domain import errors as domain_errors
from domain.errors import OnsaleError, Refusal, describe_cause
from domain.limits import errors as limit_errors
from telemetry import counters
from telemetry.outage_log import OutageLog

logger = logging.getLogger(__name__)
_outage = OutageLog(logger, "answering requests")

_LONGEST_MESSAGE = 600
_JSON_WORDS = {"None": "null", "True": "true", "False": "false"}
_QUOTED_OR_WORD = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\b(?:None|True|False)\b""")


class SystemCode(StrEnum):
    """The `extensions.code` of a top-level error."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    SESSION_LOST = "SESSION_LOST"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    """Only for downloads; a query returns null."""
    GONE = "GONE"
    """Only for downloads: the tickets are no longer valid, or have new codes."""
    BAD_USER_INPUT = "BAD_USER_INPUT"
    RATE_LIMITED = "RATE_LIMITED"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    PERSISTED_QUERY_HASH_MISMATCH = "PERSISTED_QUERY_HASH_MISMATCH"
    PERSISTED_QUERY_ID_REQUIRED = "PERSISTED_QUERY_ID_REQUIRED"
    PERSISTED_QUERY_NOT_IN_LIST = "PERSISTED_QUERY_NOT_IN_LIST"
    INTROSPECTION_DISABLED = "INTROSPECTION_DISABLED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


SYSTEM_CODES: Mapping[type[OnsaleError], SystemCode] = {
    domain_errors.Unauthenticated: SystemCode.UNAUTHENTICATED,
    domain_errors.SessionLost: SystemCode.SESSION_LOST,
    domain_errors.Forbidden: SystemCode.FORBIDDEN,
    domain_errors.BadUserInput: SystemCode.BAD_USER_INPUT,
    limit_errors.RateLimited: SystemCode.RATE_LIMITED,
    domain_errors.InvalidInput: SystemCode.BAD_USER_INPUT,
    domain_errors.TemporarilyUnavailable: SystemCode.UNAVAILABLE,
}
"""The code of each top-level error: every Denial, and the refusals that a query can raise."""


def to_top_level_error(error: GraphQLError, request_id: str) -> dict[str, object]:
    """Return the error as the client sees it. An unexpected exception is logged and masked."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None:
        # GraphQL itself found the error in the client's document or variables.
        message, extensions = error.message, {"code": SystemCode.BAD_USER_INPUT, **(error.extensions or {})}
    else:
        message, extensions = _describe(cause, error.path, request_id)
    counters.refused.labels(extensions["code"]).inc()
    clipped = message if len(message) <= _LONGEST_MESSAGE else message[:_LONGEST_MESSAGE] + " …"
    if cause is None:
        clipped = _in_json(clipped)
    return {**error.formatted, "message": clipped, "extensions": {**extensions, "requestId": request_id}}


def _in_json(message: str) -> str:
    """Return a graphql-core message with Python's None, True and False written as in JSON."""
    return _QUOTED_OR_WORD.sub(lambda found: _JSON_WORDS.get(found[0], found[0]), message)


def log_store_error(refusal: Refusal, request_id: str) -> None:
    """Log the cause if a store is unavailable; other refusals are not logged.

    An outage is logged once and then once a minute, and each of its requests at the level DEBUG.
    """
    if isinstance(refusal, domain_errors.TemporarilyUnavailable):
        logger.debug("request %s was answered %r: %s", request_id, str(refusal), describe_cause(refusal))
        _outage.failed(logger, refusal, about=f"request {request_id} was answered {str(refusal)!r}")


def _describe(cause: Exception, path: list[str | int] | None, request_id: str) -> tuple[str, dict[str, object]]:
    """Return the message and the extensions of an error."""
    match cause:
        case Refusal():
            log_store_error(cause, request_id)
            return str(cause), _refusal_extensions(cause)
        case OnsaleError() if type(cause) in SYSTEM_CODES:
            return str(cause), {"code": SYSTEM_CODES[type(cause)]}
    logger.error("request %s failed at %r", request_id, ".".join(map(str, path or ())), exc_info=cause)
    return f"An internal error occurred; report it with request id {request_id}.", {"code": SystemCode.INTERNAL}


def _refusal_extensions(refusal: Refusal) -> dict[str, object]:
    # A refusal without a system code keeps its own code: its field has no union, and the client
    # still needs to know the next step.
    extensions: dict[str, object] = {
        "code": SYSTEM_CODES.get(type(refusal), refusal.code),
        "retryable": refusal.retryable,
    }
    if refusal.retry_after_s is not None:
        extensions["retryAfterSeconds"] = refusal.retry_after_s
    if isinstance(refusal, domain_errors.InvalidInput):
        extensions["problems"] = [
            {"path": problem.path, "message": problem.message, "rule": problem.rule, **problem.data}
            for problem in refusal.problems
        ]
    return extensions
