"""`GET /media/<id>`: one size of an image.

The id is derived from the contents, so a file never changes and every cache may keep it. Anyone may
read it. Recently read files stay in memory, because everyone requests a concert's images when its
sale opens.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from domain.errors import TemporarilyUnavailable
from domain.images.image import MediaId, is_hash
from schema import SystemCode
from schema.catalog.images import MEDIA_PATH
from storage.sync.detached import DetachedTasks
from storage.sync.single_flight import SingleFlight
from web.http_errors import HttpError, unavailable_error

CACHED_BYTES = 64 * 1024 * 1024
_HEADERS = {
    "Content-Type": "image/webp",
    "Cache-Control": "public, max-age=31536000, immutable",
    # Any page may show the file and draw it on a canvas. These headers are set directly, because
    # CORSMiddleware adds a Vary header that makes a shared cache keep a copy for each origin.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
_NOT_CACHED = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}


class MediaFiles:
    """`read` returns a file, or None, or raises TemporarilyUnavailable."""

    def __init__(
        self,
        read: Callable[[MediaId], Awaitable[bytes | None]],
        owner: DetachedTasks,
        *,
        cached_bytes: int = CACHED_BYTES,
    ) -> None:
        self._read = read
        self._owner = owner
        self._cached_bytes = cached_bytes
        self._bytes = 0
        self._files = OrderedDict[MediaId, bytes]()
        self._reads = SingleFlight[MediaId, bytes | None]()

    async def get(self, media_id: MediaId) -> bytes | None:
        """Return a file, or None if there is none. Raises TemporarilyUnavailable."""
        content = self._files.get(media_id)
        if content is not None:
            self._files.move_to_end(media_id)
            return content
        return await self._reads.run(media_id, lambda: self._load(media_id), owner=self._owner)

    async def _load(self, media_id: MediaId) -> bytes | None:
        content = await self._read(media_id)
        if content is None or len(content) > self._cached_bytes:
            return content
        self._files[media_id] = content
        self._bytes += len(content)
        while self._bytes > self._cached_bytes:
            _, evicted = self._files.popitem(last=False)
            self._bytes -= len(evicted)
        return content


async def _show(request: Request) -> Response:
    files: MediaFiles = request.state.media_files
    media_id = request.path_params["media_id"]
    etag = f'"{media_id}"'
    try:
        content = await files.get(MediaId(media_id)) if is_hash(media_id) else None
    except TemporarilyUnavailable as error:
        return _refused(request, unavailable_error(error))
    if content is None:
        message = "This image does not exist. Use a `url` that `Concert.image` returns now."
        return _refused(request, HttpError(404, message, code=SystemCode.NOT_FOUND))
    if etag in [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": _HEADERS["Cache-Control"]})
    return Response(content, headers={**_HEADERS, "ETag": etag})


def _refused(request: Request, error: HttpError) -> Response:
    return JSONResponse(error.payload(request.state.request_id), error.status, {**_NOT_CACHED, **error.headers})


# Starlette answers HEAD with the headers of GET; the server sends no body.
routes = [Route(f"{MEDIA_PATH}/{{media_id}}", _show, methods=["GET"])]
