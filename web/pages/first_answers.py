"""The answers to the first queries of pages, which the server puts into their documents.

A visitor sees the concerts without waiting for another request. An answer is that of a signed-out
person, and the same for everyone; like public answers in shared caches, it is at most about a
second old (ADR 62). If it cannot be had, it is left out, and the page sends the query itself.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from domain.errors import TemporarilyUnavailable
from resolvers.context import Resources
from schema import Engine, Operation, OperationResult, hash_document
from storage.sync.single_flight import SingleFlight
from web import logs
from web.pages.documents import Document, insert_in_body

logger = logging.getLogger(__name__)

MAX_AGE_S = 1.0
MAX_BYTES = 100_000
"""The maximum size of an answer. A longer one would delay the page more than a second request."""
MAX_WAIT_S = 0.5
"""How long a document waits for the answer, in seconds. A store that is away may take longer."""
MAX_KEPT = 100
"""The maximum number of documents with answers that are kept: those of the concerts in demand."""
MAX_VALUE_CHARACTERS = 200
"""The maximum length of a part of the address that is a variable of the query."""
_REQUEST_ID = "first-answer"


@dataclass(frozen=True, slots=True)
class FirstQuery:
    """The query that a page sends first."""

    text: str
    variables: tuple[str, ...]
    """The names of the variables, whose values are parts of the address."""


def read_first_queries(dist: Path) -> Mapping[str, FirstQuery]:
    """Return the first query of each page of the shop that is built in `dist`, by its route.

    The build writes their hashes, and their texts among the trusted documents.
    """
    try:
        listed = orjson.loads((dist / "first-answers.json").read_bytes())
        texts = orjson.loads((dist / "trusted-documents.json").read_bytes())
        return {page["path"]: FirstQuery(texts[page["hash"]], tuple(page["variables"])) for page in listed}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError):
        logger.exception("the first queries of the shop cannot be read; build the pages again")
        return {}


@dataclass(slots=True)
class _Answered:
    asked_at: float
    without: Document
    """The document without the answer."""
    complete: Document


class FirstAnswers:
    """Adds answers to documents. All requests for a page within a second share one execution."""

    def __init__(
        self, engine: Engine, resources: Resources, dist: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._resources = resources
        self._dist = dist
        self._clock = clock
        self._queries: Mapping[str, FirstQuery] = {}
        self._queries_of: str | None = None
        """The tag of the document with which the queries were built."""
        self._known: OrderedDict[str, _Answered] = OrderedDict()
        """The latest document of each address, the one asked for last at the end."""
        self._reads: SingleFlight[str, Document] = SingleFlight()

    async def add_to(self, document: Document, route: str, values: Mapping[str, str]) -> Document:
        """Return the document of a page with its answer, or the same document if there is none.

        `values` are the parts of the address that `route` names.
        """
        query = self._find_query(document, route)
        if query is None or any(len(value) > MAX_VALUE_CHARACTERS for value in values.values()):
            return document
        variables = {name: values[name] for name in query.variables}
        key = orjson.dumps([route, variables]).decode()
        known, now = self._known.get(key), self._clock()
        if known is not None and known.without is document and now - known.asked_at < MAX_AGE_S:
            return known.complete
        return await self._wait_for(key, document, query, variables)

    def _find_query(self, document: Document, route: str) -> FirstQuery | None:
        if self._queries_of != document.tag:
            self._queries, self._queries_of = read_first_queries(self._dist), document.tag
        return self._queries.get(route)

    async def _wait_for(
        self, key: str, document: Document, query: FirstQuery, variables: Mapping[str, str]
    ) -> Document:
        try:
            owner = self._resources.stores.detached_tasks
            reading = self._reads.start(key, lambda: self._read(key, document, query, variables), owner=owner)
        except TemporarilyUnavailable:
            return document
        # The next request for the page may find the answer of a read that takes longer.
        done, _ = await asyncio.wait({reading}, timeout=MAX_WAIT_S)
        return reading.result() if done else document

    async def _read(self, key: str, document: Document, query: FirstQuery, variables: Mapping[str, str]) -> Document:
        asked_at = self._clock()
        try:
            element = await self._build_element(query, variables)
        except Exception:
            logger.exception("the first answer of a page failed")
            element = None
        complete = insert_in_body(document, element) if element else document
        self._known[key] = _Answered(asked_at, document, complete)
        self._known.move_to_end(key)
        if len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)
        return complete

    async def _build_element(self, query: FirstQuery, variables: Mapping[str, str]) -> bytes | None:
        logs.request_id.set(_REQUEST_ID)
        hash_, asked_at = hash_document(query.text), datetime.now(UTC)
        context = self._resources.context(None, _REQUEST_ID)
        operation = Operation(query.text, variables, None, hash_)
        answer = await self._engine.executor.execute(operation, context, queries_only=True)
        if not _is_for_everyone(answer):
            return None
        data = answer.payload["data"]
        given = {"hash": hash_.hex(), "variables": variables, "data": data, "serverTime": asked_at}
        content = orjson.dumps(given, option=orjson.OPT_UTC_Z)
        return build_data_block(content) if len(content) <= MAX_BYTES else None


def _is_for_everyone(answer: OperationResult) -> bool:
    """Return whether the answer is the same for everyone.

    An object that a signed-out person does not find may be a draft, which its organizer sees.
    """
    data = answer.payload.get("data")
    return answer.is_public and isinstance(data, dict) and all(value is not None for value in data.values())


def build_data_block(content: bytes) -> bytes:
    """Return an element with JSON that no text inside the JSON can end.

    It is a data block, which browsers do not execute, so the content security policy allows it.
    """
    escaped = content.replace(b"<", b"\\u003c")
    for separator, code in (("\u2028", b"\\u2028"), ("\u2029", b"\\u2029")):
        escaped = escaped.replace(separator.encode(), code)
    return b'<script type="application/json" id="first-answer">' + escaped + b"</script>\n"
