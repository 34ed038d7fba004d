"""Parses and checks graphql-transport-ws messages from clients, and builds our own."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import orjson

from subscriptions.interfaces import OperationRequest

MAX_ID_CHARACTERS = 255
"""The maximum length of an id.

Clients use UUIDs of 36 characters, and every event repeats the id.
"""
SHARED_ID_CHARACTERS = 8
"""The maximum length of an id that many sockets probably use, such as a counter."""


class Malformed(Exception):
    """Raised if a message violates the protocol. `str(error)` is the reason sent to the client."""


@dataclass(frozen=True, slots=True)
class Init:
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ping:
    payload: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True)
class Subscribe:
    id: str
    request: OperationRequest


@dataclass(frozen=True, slots=True)
class Complete:
    id: str


Received: TypeAlias = Init | Ping | Pong | Subscribe | Complete


def parse(message: bytes) -> Received:
    """Return the parsed message. Raises Malformed."""
    try:
        sent = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"The message is not valid JSON: {error}") from None
    if not isinstance(sent, dict):
        raise Malformed("The message is not a JSON object")
    match sent.get("type"):
        case "connection_init":
            return Init(_object(sent, "payload") or {})
        case "ping":
            return Ping(_object(sent, "payload"))
        case "pong":
            _object(sent, "payload")
            return Pong()
        case "subscribe":
            return Subscribe(_id(sent), _request(sent))
        case "complete":
            return Complete(_id(sent))
        case None:
            raise Malformed("The message has no type")
        case type_:
            raise Malformed(f"Clients cannot send a message of type {type_!r}")


def _object(sent: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    value = sent.get(name)
    if value is not None and not isinstance(value, dict):
        raise Malformed(f"`{name}` must be an object or null")
    return value


def _text(sent: Mapping[str, object], name: str) -> str | None:
    value = sent.get(name)
    if value is not None and not isinstance(value, str):
        raise Malformed(f"`{name}` must be a string or null")
    return value


def _id(sent: Mapping[str, object]) -> str:
    id_ = sent.get("id")
    if not isinstance(id_, str) or not 1 <= len(id_) <= MAX_ID_CHARACTERS:
        raise Malformed(f"`id` must be a string of 1 to {MAX_ID_CHARACTERS} characters")
    return id_


def _request(sent: Mapping[str, object]) -> OperationRequest:
    payload = _object(sent, "payload")
    if payload is None:
        raise Malformed("`payload` is missing; send `query` and `variables` in it")
    extensions = _object(payload, "extensions") or {}
    document, document_id = _text(payload, "query"), _text(payload, "documentId")
    if document is None and document_id is None and not extensions:
        raise Malformed("`query` is missing; send the GraphQL document in it")
    # An empty name means no name, as over HTTP.
    name = _text(payload, "operationName") or None
    return OperationRequest(document, _object(payload, "variables") or {}, name, extensions, document_id)


def ack(hint: str | None = None) -> bytes:
    """Return the acknowledgment, with a hint for the client's developer in its payload."""
    if hint is None:
        return b'{"type":"connection_ack"}'
    return orjson.dumps({"type": "connection_ack", "payload": {"hint": hint}})


def ping() -> bytes:
    return b'{"type":"ping"}'


def pong(payload: Mapping[str, object] | None) -> bytes:
    return b'{"type":"pong"}' if payload is None else orjson.dumps({"type": "pong", "payload": payload})


def next_prefix(id_: str) -> bytes:
    """Return the beginning of every `next` message with this id, up to its payload."""
    return _shared_prefix(id_) if len(id_) <= SHARED_ID_CHARACTERS else _prefix(id_)


def next_(prefix: bytes, payload: bytes) -> bytes:
    """Return a `next` message. `payload` is already JSON and is shared by many sockets."""
    return b"%b%b}" % (prefix, payload)


def error(id_: str, errors: bytes) -> bytes:
    """Return an `error` message. `errors` is a JSON list."""
    return b'{"id":%b,"type":"error","payload":%b}' % (orjson.dumps(id_), errors)


def errors(message: str, code: str) -> bytes:
    """Return a list of one GraphQL error, as JSON."""
    extensions = {"code": code, "requestId": secrets.token_hex(8)}
    return orjson.dumps([{"message": message, "extensions": extensions}])


def complete(id_: str) -> bytes:
    return b'{"id":%b,"type":"complete"}' % orjson.dumps(id_)


def _prefix(id_: str) -> bytes:
    return b'{"id":%b,"type":"next","payload":' % orjson.dumps(id_)


# Sockets with the same short id share one object, which is found faster and needs no memory.
_shared_prefix = lru_cache(maxsize=1_024)(_prefix)
