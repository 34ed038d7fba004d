"""The answer to the first query of the catalog, which the server puts into the document of `/`.

A visitor sees the concerts without waiting for another request. The answer is that of a signed-out
person, and the same for everyone; like public answers in shared caches, it is at most about a
second old (ADR 62). If it cannot be had, it is left out, and the page sends the query itself.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson

from domain.errors import TemporarilyUnavailable
from resolvers.context import Resources
from schema import Engine, Operation, hash_document
from storage.sync.single_flight import SingleFlight
from web import logs
from web.pages.documents import Document, insert_in_body

logger = logging.getLogger(__name__)

MAX_AGE_S = 1.0
MAX_BYTES = 100_000
"""The maximum size of the answer. A longer one would delay the page more than a second request."""
MAX_WAIT_S = 0.5
"""How long a document waits for the answer, in seconds. A store that is away may take longer."""
_REQUEST_ID = "first-answer"
_NAME = "Concerts"
"""The name of the query (frontend/src/pages/concerts/operations.ts). An untouched page sends no
variables with it.
"""
_BEGIN = re.compile(rf"^query {_NAME}\b", re.MULTILINE)


def read_first_query(dist: Path) -> str | None:
    """Return the text of the first query from the trusted documents of the shop built in `dist`.

    Returns None if there is none.
    """
    try:
        texts = orjson.loads((dist / "trusted-documents.json").read_bytes()).values()
        return next((text for text in texts if _BEGIN.search(text)), None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, TypeError):
        logger.exception("the trusted documents of the shop cannot be read; build the pages again")
        return None


class FirstAnswer:
    """Adds the answer to a document. All requests of about a second share one execution."""

    def __init__(
        self,
        engine: Engine,
        resources: Resources,
        dist: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._resources = resources
        self._dist = dist
        self._clock = clock
        self._asked_at = 0.0
        self._known: tuple[Document, Document] | None = None
        """The document without the latest answer, and with it."""
        self._reads: SingleFlight[str, Document] = SingleFlight()

    async def add_to(self, document: Document) -> Document:
        """Return the document with the answer, or the same document if there is no answer."""
        known, now = self._known, self._clock()
        if known is not None and known[0] is document and now - self._asked_at < MAX_AGE_S:
            return known[1]
        if not self._reads.is_running(document.tag):
            self._asked_at = now
        try:
            owner = self._resources.stores.detached_tasks
            reading = self._reads.start(document.tag, lambda: self._read(document), owner=owner)
        except TemporarilyUnavailable:
            return document
        done, _ = await asyncio.wait({reading}, timeout=max(self._asked_at + MAX_WAIT_S - now, 0))
        return reading.result() if done else document

    async def _read(self, document: Document) -> Document:
        try:
            element = await self._build_element()
        except Exception:
            logger.exception("the first answer of the catalog failed")
            element = None
        complete = insert_in_body(document, element) if element else document
        self._known = (document, complete)
        return complete

    async def _build_element(self) -> bytes | None:
        text = read_first_query(self._dist)
        if text is None:
            return None
        logs.request_id.set(_REQUEST_ID)
        hash_, asked_at = hash_document(text), datetime.now(UTC)
        context = self._resources.context(None, _REQUEST_ID, None)
        answer = await self._engine.executor.execute(Operation(text, {}, _NAME, hash_), context, queries_only=True)
        if not answer.is_public:
            return None
        given = {"hash": hash_.hex(), "variables": {}, "data": answer.payload["data"], "serverTime": asked_at}
        content = orjson.dumps(given, option=orjson.OPT_UTC_Z)
        return build_data_block(content) if len(content) <= MAX_BYTES else None


def build_data_block(content: bytes) -> bytes:
    """Return an element with JSON that no text inside the JSON can end.

    It is a data block, which browsers do not execute, so the content security policy allows it.
    """
    escaped = content.replace(b"<", b"\\u003c")
    for separator, code in (("\u2028", b"\\u2028"), ("\u2029", b"\\u2029")):
        escaped = escaped.replace(separator.encode(), code)
    return b'<script type="application/json" id="first-answer">' + escaped + b"</script>\n"
