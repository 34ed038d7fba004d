"""Reads the headers of a request, and the requested operation from a JSON body, a query string or
a socket message.
"""

from collections.abc import Mapping
from typing import TypeVar, overload

import orjson
from starlette.datastructures import Headers, QueryParams
from starlette.types import Scope

from schema import DocumentHash, Operation, SystemCode, hash_document, parse_document_hash, parse_document_id
from subscriptions.interfaces import OperationRequest
from web.http_errors import HttpError

_PARAMETERS = ("query", "operationName", "variables", "extensions", "documentId")
_HASH_FORM = "it must be the document's SHA-256, written as `sha256:` and 64 hexadecimal digits"

Default = TypeVar("Default")


class IndexedHeaders(Headers):
    """Headers that are found by name without a search. A request reads a dozen of them."""

    def __init__(self, scope: Scope) -> None:
        raw = list(scope["headers"])
        super().__init__(raw=raw)
        # Of several headers with the same name, the first one is found.
        self._index: dict[bytes, bytes] = dict(reversed(raw))
        self._has_repeated_names = len(self._index) < len(raw)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and _encoded(key) in self._index

    def __getitem__(self, key: str) -> str:
        return self._index[_encoded(key)].decode("latin-1")

    @overload
    def get(self, key: str) -> str | None: ...

    @overload
    def get(self, key: str, default: str | Default) -> str | Default: ...

    def get(self, key: str, default: object = None) -> object:
        value = self._index.get(_encoded(key))
        return default if value is None else value.decode("latin-1")

    def getlist(self, key: str) -> list[str]:
        if self._has_repeated_names:
            return super().getlist(key)
        value = self._index.get(_encoded(key))
        return [] if value is None else [value.decode("latin-1")]


def _encoded(name: str) -> bytes:
    return name.lower().encode("latin-1")


def parse_body(body: bytes) -> Operation:
    """Return the operation in a JSON body. Raises HttpError if it is malformed."""
    if not body:
        raise HttpError(400, "The body is empty; send a JSON object with `query`.")
    sent = _json(body, "The body")
    if isinstance(sent, list):
        raise HttpError(400, "The body is a list, and batches are not accepted; send one operation per request.")
    if not isinstance(sent, dict):
        raise HttpError(400, "The body is not a JSON object; send an object with `query`.")
    return _operation(sent)


def parse_query(parameters: QueryParams) -> Operation:
    """Return the operation in a query string. Raises HttpError if it is malformed."""
    sent: dict[str, object] = {}
    for name, value in parameters.multi_items():
        if name in sent:
            raise HttpError(400, f"`{name}` appears more than once; send it once.")
        is_json = name in ("variables", "extensions") and value != ""
        sent[name] = _json(value.encode(), f"`{name}`") if is_json else value or None
    return _operation(sent)


def _json(text: bytes, what: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise HttpError(400, f"{what} is not valid JSON in UTF-8: {error}.") from None


def _operation(sent: dict[str, object]) -> Operation:
    document, name, variables, extensions, document_id = map(sent.get, _PARAMETERS)
    if document is not None and not isinstance(document, str):
        raise HttpError(400, f"`query` is {_kind(document)}; it must be a string with the GraphQL document.")
    if name is not None and not isinstance(name, str):
        raise HttpError(400, f"`operationName` is {_kind(name)}; it must be a string or null.")
    if variables is not None and not isinstance(variables, dict):
        raise HttpError(400, f"`variables` is {_kind(variables)}; it must be an object or null.")
    if extensions is not None and not isinstance(extensions, dict):
        raise HttpError(400, f"`extensions` is {_kind(extensions)}; it must be an object or null.")
    if document_id is not None and not isinstance(document_id, str):
        raise HttpError(400, f"`documentId` is {_kind(document_id)}; it must be a string or null.")
    if document and not extensions and not document_id:
        # Nothing is left to check.
        return Operation(document, variables or {}, name or None)
    return build_operation(OperationRequest(document, variables or {}, name or None, extensions or {}, document_id))


def build_operation(request: OperationRequest) -> Operation:
    """Return the requested operation.

    Raises HttpError if the request names no document, or if its hash is malformed or belongs to
    another document.
    """
    hash_ = _document_hash(request)
    if request.document is None and hash_ is None:
        raise HttpError(400, "`query` is missing; send the GraphQL document in it.")
    if not request.document and hash_ is not None:
        return Operation(None, request.variables, request.name, hash_)
    if request.document and hash_ is not None and hash_ != (own_hash := hash_document(request.document)):
        raise HttpError(
            400,
            f"The hash of this document is {own_hash.hex()}, and the request names {hash_.hex()};"
            " send the SHA-256 of exactly the text in `query`, encoded as UTF-8.",
            code=SystemCode.PERSISTED_QUERY_HASH_MISMATCH,
        )
    return Operation(request.document, request.variables, request.name, hash_)


def _document_hash(request: OperationRequest) -> DocumentHash | None:
    """Return the hash in `documentId` or in `extensions.persistedQuery`, where Apollo sends it."""
    by_id, persisted = None, request.extensions.get("persistedQuery")
    if request.document_id:
        by_id = parse_document_id(request.document_id)
        if by_id is None:
            raise HttpError(400, f"`documentId` is {request.document_id[:100]!r}; {_HASH_FORM}.")
    if persisted is None:
        return by_id
    if not isinstance(persisted, Mapping):
        raise HttpError(400, f"`extensions.persistedQuery` is {_kind(persisted)}; it must be an object or null.")
    if persisted.get("version") != 1:
        raise HttpError(400, "`extensions.persistedQuery.version` must be 1; there is no other version.")
    hash_ = parse_document_hash(persisted.get("sha256Hash"))
    if hash_ is None:
        raise HttpError(400, "`sha256Hash` must be the document's SHA-256, written as 64 hexadecimal digits.")
    if by_id not in (None, hash_):
        raise HttpError(400, "`documentId` and `extensions.persistedQuery` name different documents; send one of them.")
    return hash_


def _kind(value: object) -> str:
    match value:
        case str():
            return "a string"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case list():
            return "a list"
    return "an object"
