"""The files that gates load before they go offline: `GET /.well-known/ticket-keys` and
`GET /.well-known/ticket-revocations`, each for one concert.

Anyone may read them. The files name no person and no seat. A scanner therefore needs no session,
and verifies both by their signatures, wherever the files were copied from.
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.concerts import ConcertStatus
from domain.errors import BadUserInput, TemporarilyUnavailable
from domain.ids import ConcertId
from schema.ids import concert_argument, of_concert
from storage.connect import Stores
from storage.sync.single_flight import SingleFlight
from tickets.codes import concert_digest
from tickets.concert_keys import ConcertKeys, KeyRings
from tickets.keys import TicketKeys
from tickets.revocation_lists import make_list

KEYS_LIFE_S = 60
LIST_LIFE_S = 1.0
"""How long a list is reused. It carries the time at which it was read, so it never looks newer than
it is.
"""
LONG_READ_LIFE = 20
"""A list that took long to read is reused for this many times as long. The list of a canceled
concert with 50,000 revoked codes, however often it is requested, thus takes at most a twentieth of
a process.
"""
LONGEST_LIFE_S = 60.0
"""Much shorter than the age at which gates refuse a list."""
MAX_LISTS = 100
ATTEMPTS = 3
"""How many times a list is read if it is older than a list that has been sent."""
_CORS = {"Access-Control-Allow-Origin": "*"}
_PREFLIGHT = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"], allow_headers=["*"])


@dataclass(frozen=True, slots=True)
class _List:
    content: bytes
    sequence: int
    read_again_at: float


class GateFiles:
    def __init__(
        self,
        stores: Stores,
        keys: TicketKeys,
        concert_keys: ConcertKeys,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stores = stores
        self._keys = keys
        self._concert_keys = concert_keys
        self._clock = clock
        self._now = now
        self._lists: dict[ConcertId, _List] = {}
        self._reads = SingleFlight[ConcertId, _List]()

    async def show_keys(self, concert_id: ConcertId) -> Response:
        """Return every public key that has ever signed for the concert."""
        ring = await self._concert_keys.load_ring(concert_id)
        keys = [{"kty": "OKP", "crv": "Ed25519", "kid": id_, "x": _base64url(key)} for id_, key in ring.items()]
        content = {"concert": of_concert(concert_id), "digest": concert_digest(concert_id).hex(), "keys": keys}
        return JSONResponse(content, headers={"Cache-Control": f"public, max-age={KEYS_LIFE_S}", **_CORS})

    async def show_list(self, concert_id: ConcertId) -> Response:
        """Return the revocation list of the concert, at most a second old unless it is long.

        Its sequence is never lower than the sequence of a list that any process has sent before,
        because a gate that has seen the higher one refuses it. Raises TemporarilyUnavailable.
        """
        kept = await self._find_list(concert_id, least=await self._stores.tickets.read_sequence(concert_id))
        headers = {"Cache-Control": "no-cache", "Content-Disposition": "attachment; filename=revocations.gz", **_CORS}
        return Response(kept.content, media_type="application/gzip", headers=headers)

    async def _find_list(self, concert_id: ConcertId, *, least: int) -> _List:
        found = self._lists.get(concert_id)
        for _ in range(ATTEMPTS):
            if found is not None and found.sequence >= least and self._clock() < found.read_again_at:
                return found
            # A read that other requests share may have begun before the sequence was raised.
            owner = self._stores.detached_tasks
            found = await self._reads.run(concert_id, lambda: self._read_list(concert_id), owner=owner)
            if found.sequence >= least:
                return found
        raise TemporarilyUnavailable("The revocation list was read from a store that is behind")

    async def is_public(self, concert_id: ConcertId) -> bool:
        concert = await self._stores.concert_cache.get(concert_id)
        return concert is not None and concert.status is not ConcertStatus.DRAFT

    async def _read_list(self, concert_id: ConcertId) -> _List:
        read_at, now = self._clock(), self._now()
        await self._concert_keys.load_ring(concert_id)
        revocations = await self._stores.tickets.list_revocations(concert_id)
        key = self._keys.signing_key(concert_id)
        content = await asyncio.to_thread(make_list, key, revocations, now)
        await self._stores.tickets.raise_sequence(concert_id, len(revocations))
        life_s = min(max(LIST_LIFE_S, LONG_READ_LIFE * (self._clock() - read_at)), LONGEST_LIFE_S)
        made = _List(content, len(revocations), read_at + life_s)
        self._lists.pop(concert_id, None)
        if len(self._lists) >= MAX_LISTS:
            self._lists.pop(next(iter(self._lists)))
        self._lists[concert_id] = made
        return made


def make_gate_files(stores: Stores, keys: TicketKeys, rings: KeyRings) -> GateFiles:
    return GateFiles(stores, keys, ConcertKeys(keys, stores.ticket_keys, rings))


async def _keys(request: Request) -> Response:
    return await _show(request, request.state.gate_files.show_keys)


async def _revocations(request: Request) -> Response:
    return await _show(request, request.state.gate_files.show_list)


async def _show(request: Request, show: Callable[[ConcertId], Awaitable[Response]]) -> Response:
    files: GateFiles = request.state.gate_files
    value = request.query_params.get("concert", "")
    try:
        concert_id = concert_argument(value)
    except BadUserInput:
        return _error(400, "Name the concert by its `id` from GraphQL: ?concert=<id>")
    try:
        if not await files.is_public(concert_id):
            return _error(404, f"There is no concert with the id {value[:64]!r}; use an `id` that a query returned")
        return await show(concert_id)
    except TemporarilyUnavailable as error:
        return _error(503, str(error), {"Retry-After": str(error.retry_after_s or 1)})


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status_code=status, headers=_CORS | (headers or {}))


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


routes = [
    Route("/.well-known/ticket-keys", _keys, methods=["GET", "OPTIONS"], middleware=[_PREFLIGHT]),
    Route("/.well-known/ticket-revocations", _revocations, methods=["GET", "OPTIONS"], middleware=[_PREFLIGHT]),
]
