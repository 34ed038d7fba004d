"""Reads the requested operation from a JSON body or a query string."""

import orjson
from starlette.datastructures import QueryParams

from schema import Operation
from web.http_errors import HttpError, PersistedQueryNotSupported, has_persisted_query

_PARAMETERS = ("query", "operationName", "variables", "extensions")


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
    document, name, variables, extensions = (sent.get(parameter) for parameter in _PARAMETERS)
    if not document and has_persisted_query(extensions):
        raise PersistedQueryNotSupported
    if document is None:
        raise HttpError(400, "`query` is missing; send the GraphQL document in it.")
    if not isinstance(document, str):
        raise HttpError(400, f"`query` is {_kind(document)}; it must be a string with the GraphQL document.")
    if name is not None and not isinstance(name, str):
        raise HttpError(400, f"`operationName` is {_kind(name)}; it must be a string or null.")
    if variables is not None and not isinstance(variables, dict):
        raise HttpError(400, f"`variables` is {_kind(variables)}; it must be an object or null.")
    if extensions is not None and not isinstance(extensions, dict):
        raise HttpError(400, f"`extensions` is {_kind(extensions)}; it must be an object or null.")
    return Operation(document, variables or {}, name or None)


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
